"""The audit log, and the base of every admin that changes something: each change is a line of the log."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.audit.actions import note
from apps.audit.models import AuditLine
from apps.core.admin import BureauAdmin, ago
from apps.core.scope import organisation_of


class AuditedAdmin(BureauAdmin):
    """Saving and deleting write an audit line in the same transaction, with the names of what changed."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            details = {"fields": list(form.changed_data)} if change else {}
            self._note(request, obj, "changed" if change else "made", details)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._note(request, obj, "deleted", {})
            super().delete_model(request, obj)

    def _note(self, request: HttpRequest, obj: Any, what: str, details: dict[str, Any]) -> None:
        organisation = organisation_of(obj) if hasattr(type(obj), "TENANT_PATH") else None
        if organisation is not None:
            action = f"{obj._meta.model_name}.{what}"
            note(organisation_id=organisation, actor=request.user, action=action, subject=obj, details=details)


@admin.register(AuditLine)
class AuditLineAdmin(BureauAdmin):
    big_table = True
    list_display = ("when", "actor", "action", "subject", "subject_kind")
    list_filter = ("action", "subject_kind")
    search_fields = ("actor", "subject", "action")
    fields = ("at", "actor", "action", "subject", "subject_kind", "subject_id", "details")

    @display(description=_("at"), ordering="id")
    def when(self, row: AuditLine) -> str:
        return ago(row.at)
