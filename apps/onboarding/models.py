from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.enums import Verdict
from apps.clients.models import Client
from apps.connectors.models import Connection, Connector
from apps.core.scope import TenantModel
from apps.notifications.models import Problem
from apps.onboarding.enums import BatchState, LineState, Origin
from apps.organisations.models import Organisation


class Batch(TenantModel):
    """Clients taken in together. This row is the truth; a lost, doubled or late task changes nothing.

    A worker owns it while `token` is its own and `lease_until` lies ahead. `attempts` counts tasks begun since the
    last line that ended. `trouble`: why it could not be listed, or what stopped it (`told` reads it).
    """

    CLIENT_PATH = "connector__client"  # always a connector of the bureau
    OF_THE_BUREAU = True

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    connector = models.ForeignKey(
        Connector, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("connector")
    )
    origin = models.CharField(_("from"), max_length=10, choices=Origin.choices)
    file_name = models.CharField(_("file"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=BatchState.choices)
    first_number = models.PositiveIntegerField(_("client numbers from"), default=0)
    trouble = models.JSONField(default=dict)
    token = models.CharField(max_length=36, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(_("by"), max_length=254)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("taking in clients")
        verbose_name_plural = _("taking in clients")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.file_name or str(self.connector or self.get_origin_display())

    @property
    def told(self) -> Problem | None:
        return told_of(self.trouble)


class Line(TenantModel):
    """One company of a batch, and what came of it.

    `made` names what this batch made for it, each written in the transaction that made it, so that the report is
    right whenever the work was cut. `changes` as the check found them: field -> [before, after].
    """

    TENANT_PATH = "batch__organisation"
    CLIENT_PATH = "client"
    OF_THE_BUREAU = True  # what is not taken in yet

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(_("line"))
    number = models.CharField(_("client number"), max_length=200, blank=True)
    name = models.CharField(_("name"), max_length=400, blank=True)
    country = models.CharField(_("country"), max_length=200, blank=True)
    organisation_number = models.CharField(_("organisation number"), max_length=200, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=200, blank=True)
    responsible = models.CharField(_("responsible accountant"), max_length=254, blank=True)
    company_id = models.CharField(max_length=80, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    changes = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=LineState.choices, default=LineState.LISTED)
    client = models.ForeignKey(Client, on_delete=models.SET_NULL, null=True, verbose_name=_("client"))
    connection = models.ForeignKey(Connection, on_delete=models.SET_NULL, null=True, verbose_name=_("connection"))
    made = models.JSONField(default=list)
    trouble = models.JSONField(default=dict)
    attempts = models.PositiveSmallIntegerField(default=0)
    chosen = models.BooleanField(default=False)
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=("batch", "position"), name="onboarding_line_once"),)
        indexes = (models.Index(fields=("batch", "state")),)

    def __str__(self) -> str:
        return f"{self.position} {self.name or self.organisation_number}"

    @property
    def told(self) -> Problem | None:
        return told_of(self.trouble)


def told_of(trouble: dict[str, Any]) -> Problem | None:
    """A kept trouble with its texts in the reader's language; never saved."""
    if not trouble:
        return None
    return Problem(
        code=trouble["code"],
        title_text=trouble["title"],
        step_texts=trouble.get("steps", []),
        facts=trouble.get("facts", {}),
        field=trouble.get("field", ""),
        who=trouble.get("who", ""),
        link=trouble.get("link", ""),
        detail=trouble.get("detail", ""),
    )
