"""Pages about people's sign-in, under /admin/ and behind its sign-in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

from apps.organisations import views

app_name = "people"


def _page(address: str, view: Callable[..., Any], name: str) -> URLPattern:
    return path(address, admin.site.admin_view(view), name=name)


urlpatterns = [
    _page("two-factor/", views.factor, "factor"),
    _page("two-factor/enter/", views.factor_enter, "factor_enter"),
    _page("people/<int:pk>/two-factor/reset/", views.factor_reset, "factor_reset"),
]
