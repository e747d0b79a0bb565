from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.core.scope import TenantModel
from apps.flows.models import Feed
from apps.organisations.models import Organisation
from apps.sync.enums import LIVE, Lane, RunKind, RunState, Stage


class Run(TenantModel):
    """One execution of a feed, worked in slices. This row is the truth; a lost, doubled or late task changes nothing.

    A worker owns it while `token` is its own and `lease_until` lies ahead. `attempts` counts slices begun since the
    last progress. `resume` is where the next slice goes on, in the words of the stage.
    `credential` stands for what the vendor knows us by, of which `places` runs may be worked at once (0: any number);
    a worked run holds one of them, numbered from 0 in `place`.
    """

    CLIENT_PATH = "client"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, verbose_name=_("organisation"))
    client = models.ForeignKey(Client, on_delete=models.PROTECT, verbose_name=_("client"))
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, null=True, verbose_name=_("feed"))
    kind = models.CharField(_("started"), max_length=14, choices=RunKind.choices)
    lane = models.CharField(_("lane"), max_length=12, choices=Lane.choices)
    night = models.DateField(_("night"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    stage = models.CharField(_("step"), max_length=12, choices=Stage.choices, default=Stage.COMPANY)
    window_from = models.DateField(_("from"), null=True)
    window_to = models.DateField(_("to"), null=True)
    first_load = models.BooleanField(_("first load"), default=False)
    whole = models.BooleanField(_("whole pass"), default=False)
    resume = models.JSONField(default=dict)
    token = models.CharField(max_length=36, blank=True)
    worker = models.CharField(_("worker"), max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    credential = models.CharField(max_length=64, blank=True)
    places = models.PositiveSmallIntegerField(default=0)
    place = models.PositiveSmallIntegerField(null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    slices = models.PositiveIntegerField(_("slices"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    expected = models.PositiveIntegerField(_("expected"), null=True)
    counts = models.JSONField(_("counts"), default=dict)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    failure = models.CharField(_("failure"), max_length=20, blank=True)
    remedy = models.CharField(_("remedy"), max_length=80, blank=True)
    detail = models.TextField(_("for support"), blank=True)
    actor = models.CharField(_("by"), max_length=254, blank=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    is_wanted = False  # in the memory of its worker only: a person waits for the place of this run

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("feed",), condition=models.Q(state__in=LIVE, feed__isnull=False), name="run_one_live"
            ),
            models.UniqueConstraint(
                fields=("client",),
                condition=models.Q(state__in=LIVE, kind=RunKind.RECALCULATION),
                name="recalculation_one_live",
            ),
            models.UniqueConstraint(
                fields=("feed", "night"), condition=models.Q(night__isnull=False), name="run_once_a_night"
            ),
            models.UniqueConstraint(
                fields=("credential", "place"),
                condition=models.Q(state=RunState.RUNNING, place__isnull=False),
                name="run_one_a_place",
            ),
        )
        indexes = (
            models.Index(fields=("state", "lease_until")),
            models.Index(fields=("state", "lane", "organisation", "id")),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.client} · {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.organisation_id:
            self.organisation_id = self.client.organisation_id
        super().save(*args, **kwargs)


class Turn(TenantModel):
    """How much of a lane's time a bureau has had, in seconds of work: whoever had least is next (docs/adr/0006).

    `level`: where the lane stood when this bureau last had a turn.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    lane = models.CharField(_("lane"), max_length=12, choices=Lane.choices)
    served = models.FloatField(_("seconds"), default=0.0)
    level = models.FloatField(default=0.0)

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        constraints = (models.UniqueConstraint(fields=("organisation", "lane"), name="turn_once"),)

    def __str__(self) -> str:
        return f"{self.organisation} · {self.lane}"


class LaneProcess(models.Model):
    """A lane as some `work` on some host has started it, with the heartbeat that travels through its queue.

    `mark` is in the environment of all its processes. A beat that was sent is written down by a worker (`beaten`),
    and has come back when the monitor has taken it off the queue. Of no organisation.
    """

    mark = models.CharField(max_length=32, primary_key=True)
    host = models.CharField(_("host"), max_length=80)
    lane = models.CharField(_("lane"), max_length=12)
    supervisor = models.CharField(max_length=40)  # see `processes.identity`
    sent = models.PositiveIntegerField(default=0)
    beaten = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    seen_at = models.DateTimeField(_("last looked after"), auto_now_add=True)
    beat_at = models.DateTimeField(_("last heartbeat"), null=True)

    class Meta:
        verbose_name = _("lane process")
        verbose_name_plural = _("lane processes")

    def __str__(self) -> str:
        return f"{self.lane} · {self.host}"


class SeenVoucher(TenantModel):
    """An id that the run's pass has seen; rows go when the run ends."""

    TENANT_PATH = "run__client__organisation"

    run = models.ForeignKey(Run, on_delete=models.CASCADE)
    external_id = models.CharField(max_length=120)

    class Meta:
        verbose_name = _("seen voucher")
        verbose_name_plural = _("seen vouchers")
        constraints = (models.UniqueConstraint(fields=("run", "external_id"), name="seen_once"),)

    def __str__(self) -> str:
        return self.external_id


class Chore(models.Model):
    """Something done once a day, and the day it was begun last. Belongs to no organisation."""

    name = models.CharField(max_length=60, primary_key=True)
    day = models.DateField()

    class Meta:
        verbose_name = _("chore")
        verbose_name_plural = _("chores")

    def __str__(self) -> str:
        return self.name
