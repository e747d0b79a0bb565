from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.scope import TenantModel


class AuditLine(TenantModel):
    """Who did what to which object. Plain ids and labels: a line outlives what it speaks of, and is never changed."""

    TENANT_PATH = "organisation_id"
    CLIENT_PATH = "client_id"

    organisation_id = models.BigIntegerField(_("organisation"), db_index=True)
    client_id = models.BigIntegerField(_("client"), null=True, db_index=True)
    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor_id = models.BigIntegerField(_("actor id"), null=True)
    actor = models.CharField(_("actor"), max_length=254)
    action = models.CharField(_("action"), max_length=60)
    subject_kind = models.CharField(_("kind"), max_length=40)
    subject_id = models.CharField(_("id"), max_length=40)
    subject = models.CharField(_("subject"), max_length=200)
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("audit line")
        verbose_name_plural = _("audit lines")
        ordering = ("-id",)
        indexes = (models.Index(fields=("organisation_id", "subject_kind", "subject_id")),)

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"
