from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.core.scope import TenantModel


class Feed(TenantModel):
    """This client's ledger comes from this connection, on these days."""

    TENANT_PATH = "client__organisation"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, verbose_name=_("client"))
    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, verbose_name=_("connection"))
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_to = models.DateField(_("to"), null=True, blank=True)
    enabled = models.BooleanField(_("runs every night"), default=True)
    history_from = models.DateField(
        _("history from"), null=True, blank=True, help_text=_("Empty: the start of the previous fiscal year.")
    )
    loaded_at = models.DateTimeField(_("first load finished"), null=True)
    whole_pass_at = models.DateTimeField(_("last whole pass"), null=True)
    read_at = models.DateTimeField(_("last read to the end"), null=True)
    # the vendor's clock before the last reading's first page, and ours: changes since are asked from there
    watermark = models.CharField(max_length=80, default="", blank=True)
    watermark_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    release_disappearance = models.BooleanField(default=False)  # staff let the next pass delete many

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        ordering = ("client", "id")

    def __str__(self) -> str:
        return f"{self.connection}"
