import uuid
from collections.abc import Mapping

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from apps.clients.models import ChosenClients, Client
from apps.core.fields import SafeEncryptedText
from apps.core.scope import TenantModel
from apps.notifications.enums import EventKind, MailState
from apps.organisations.models import Organisation


class Problem(TenantModel):
    """One cause that needs a hand: one open row per subject and remedy code, however often it is seen.

    Texts are kept in the language of the code and translated when shown; `facts` fill them. The subject is plain
    data (kind, id, label, url), since it may live in a higher app.
    """

    CLIENT_PATH = "client"
    OF_THE_BUREAU = True
    BOOKS = models.Q(code__startswith="ledger.")  # their texts hold figures

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    client = models.ForeignKey(Client, on_delete=models.CASCADE, null=True, verbose_name=_("client"))
    code = models.CharField(_("reference"), max_length=80)
    failure = models.CharField(_("kind"), max_length=20)
    who = models.CharField(_("who acts"), max_length=10)
    title_text = models.CharField(max_length=300)
    step_texts = models.JSONField(default=list)
    link = models.CharField(max_length=300, blank=True)
    facts = models.JSONField(default=dict)
    field = models.CharField(max_length=40, blank=True)
    detail = models.TextField(_("for support"), blank=True)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=40)
    subject_label = models.CharField(_("about"), max_length=200)
    subject_url = models.CharField(max_length=200, blank=True)
    first_at = models.DateTimeField(_("since"), auto_now_add=True)
    last_at = models.DateTimeField(_("last seen"), auto_now=True)
    times = models.PositiveIntegerField(_("times"), default=1)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    # somebody knows of it: not shown before this instant, unless it changes
    muted_until = models.DateTimeField(_("muted until"), null=True)
    muted_reason = models.CharField(_("why it is muted"), max_length=300, blank=True)
    muted_by = models.CharField(_("muted by"), max_length=254, blank=True)
    # when it was last new to people: opened, or come back from being muted
    told_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("problem")
        verbose_name_plural = _("problems")
        ordering = ("-last_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "code", "subject_kind", "subject_id"),
                condition=models.Q(resolved_at=None),
                name="problem_open_once",
            ),
        )

    def __str__(self) -> str:
        """For the audit log, which all reviewers read: not the title, which may hold figures of hidden books."""
        return f"{self.code} · {self.client}" if self.client_id is not None else self.code

    @property
    def is_muted(self) -> bool:
        return self.muted_until is not None and self.muted_until > timezone.now()

    @property
    def title(self) -> str:
        return filled(self.title_text, self.facts)

    @property
    def page(self) -> str:
        """Its address for people outside of Kontor; empty where nobody said what Kontor's is."""
        base: str = settings.KONTOR_URL.rstrip("/")
        return f"{base}/admin/notifications/problem/{self.pk}/change/" if base else ""

    @property
    def steps(self) -> list[str]:
        return [filled(text, self.facts) for text in self.step_texts]


class Affected(TenantModel):
    """A client that a problem hits: its own, or one of many whose shared key is refused. `cleared_at`: no longer."""

    TENANT_PATH = "problem__organisation"
    CLIENT_PATH = "client"

    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="affected")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="affected")
    since = models.DateTimeField(_("since"), default=timezone.now)
    cleared_at = models.DateTimeField(_("over"), null=True)

    class Meta:
        verbose_name = _("affected client")
        verbose_name_plural = _("affected clients")
        constraints = (models.UniqueConstraint(fields=("problem", "client"), name="affected_once"),)
        indexes = (models.Index(fields=("client", "cleared_at")),)

    def __str__(self) -> str:
        return f"{self.client_id}: {self.problem_id}"


class Looked(TenantModel):
    """When a person last opened the bell: what was told later is unread."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("look at the bell")
        verbose_name_plural = _("looks at the bell")
        constraints = (models.UniqueConstraint(fields=("organisation", "user"), name="looked_once"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.at}"


class Morning(TenantModel):
    """A bureau's morning after a night: made once, by whoever comes first, with the mails that are to be sent."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    night = models.DateField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("morning")
        verbose_name_plural = _("mornings")
        constraints = (models.UniqueConstraint(fields=("organisation", "night"), name="morning_once"),)

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.night}"


class Mail(TenantModel):
    """The outbox: a digest that a person is owed, committed with its morning. One per person and night.

    Its text is made when it is sent and never kept. `unsure` counts sendings of which nobody knows how they ended.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    night = models.DateField()
    since = models.DateTimeField()  # what was told before was in an earlier digest, or could be
    message_id = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=8, choices=MailState.choices, default=MailState.WAITING, db_index=True)
    token = models.CharField(max_length=36, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    unsure = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        constraints = (models.UniqueConstraint(fields=("user", "night"), name="digest_once_a_night"),)

    def __str__(self) -> str:
        return f"{self.user_id} {self.night}"


class Webhook(ChosenClients, TenantModel):
    """A system of the bureau's that is told of problems: its address, and the secret that signs what is sent there.

    One sending at a time (`token`, `lease_until`), oldest first; a receiver that fails is asked again at `not_before`
    and not before.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    name = models.CharField(_("name"), max_length=80, help_text=_("What is told, such as: ticket system."))
    host = models.CharField(_("host"), max_length=255, editable=False)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    paused_at = models.DateTimeField(_("paused"), null=True, editable=False)
    token = models.CharField(max_length=36, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    last_error = models.CharField(_("last failure"), max_length=300, blank=True, editable=False)
    last_sent_at = models.DateTimeField(_("last told"), null=True, editable=False)

    @property
    def failure_facts(self) -> dict[str, str]:
        return {"host": self.host, "seconds": f"{settings.KONTOR_WEBHOOK_SECONDS:g}"}

    @property
    def failure(self) -> str:
        """`last_error`, which is kept in the language of the code, as people read it."""
        return filled(self.last_error, self.failure_facts) if self.last_error else ""

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class WebhookSecret(TenantModel):
    """What must never be shown, apart from the webhook so that no list ever decrypts it.

    The address too: many receivers know their sender by a word in the path.
    """

    TENANT_PATH = "webhook__organisation"

    webhook = models.OneToOneField(Webhook, on_delete=models.CASCADE, related_name="sealed", primary_key=True)
    url = SafeEncryptedText()
    secret = SafeEncryptedText()
    # Signs too until then, so that the receiver can change over without losing anything.
    former_secret = SafeEncryptedText(default="")
    former_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("secret of a webhook")
        verbose_name_plural = _("secrets of webhooks")

    def __str__(self) -> str:
        return f"secret of webhook {self.webhook_id}"


class WebhookEvent(TenantModel):
    """The outbox of a webhook, committed with what it tells. Its text is made when it is sent, and never kept.

    `begun_at`: a sender has looked at the problem; what happens later is an event of its own.
    """

    TENANT_PATH = "webhook__organisation"
    CLIENT_PATH = "problem__client"
    OF_THE_BUREAU = True
    BOOKS = models.Q(problem__code__startswith="ledger.")  # as of the problem

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="events")
    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(_("event"), max_length=20, choices=EventKind.choices)
    event_id = models.UUIDField(default=uuid.uuid4, unique=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    begun_at = models.DateTimeField(null=True)
    times = models.PositiveIntegerField(default=1)  # how often it happened before it was told
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    ended_at = models.DateTimeField(_("told"), null=True)
    told = models.BooleanField(default=False)  # False at the end: nothing that this receiver may know

    class Meta:
        verbose_name = _("event of a webhook")
        verbose_name_plural = _("events of webhooks")
        ordering = ("pk",)
        indexes = (models.Index(fields=("webhook", "id"), condition=models.Q(ended_at=None), name="event_waiting"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The text in the reader's language; a fact named `..._text` is one itself, and filled too."""
    out = translate(text)
    for name in sorted(facts, key=lambda name: not name.endswith("_text")):
        value = str(facts[name])
        out = out.replace("{" + name + "}", translate(value) if value and name.endswith("_text") else value)
    return out
