"""The list of what was taken in; looking at one and starting one are pages of office."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.admin import BureauAdmin
from apps.onboarding.models import Batch


@admin.register(Batch)
class BatchAdmin(BureauAdmin):
    level_view = "manage"
    list_display = ("__str__", "organisation", "state")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002 - Django's signature
        return redirect("office:onboarding")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:  # fmt: skip
        return redirect("office:onboarding_batch", object_id)
