"""Addresses of the whole program; every app keeps its own in its `urls.py`."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("apps.api.urls")),
    # Before the admin's own: the site answers every address below it.
    path("admin/", include("apps.organisations.urls")),
    path("admin/", include("apps.office.urls")),
    path("admin/", admin.site.urls),
]

handler500 = "apps.core.errors.server_error"
