import json

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.connectors.enums import ConnectionState
from apps.core.fields import SafeEncryptedBytes, SafeEncryptedText
from apps.core.scope import TenantModel
from apps.organisations.models import Organisation


class Connector(TenantModel):
    """One configured link to a provider. `client` empty: the organisation's, shared by its clients."""

    CLIENT_PATH = "client"
    OF_THE_BUREAU = True

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, verbose_name=_("organisation"))
    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("client"))
    provider = models.CharField(_("system"), max_length=40)
    auth = models.CharField(_("sign-in"), max_length=20, default="")
    values = models.JSONField(_("fields"), default=dict)  # secret fields stand in ConnectorSecret
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    verified_at = models.DateTimeField(_("verified"), null=True)

    class Meta:
        verbose_name = _("connector")
        verbose_name_plural = _("connectors")
        ordering = ("provider", "id")

    def __str__(self) -> str:
        from apps.connectors.registry import label_of

        return f"{label_of(self.provider)} · {self.client or self.organisation}"


class ConnectorSecret(TenantModel):
    """What must never be shown, apart from the connector so that no list ever decrypts it.

    `fields` is what people entered, `issued` what the vendor issued for it; both JSON texts.
    """

    TENANT_PATH = "connector__organisation"
    CLIENT_PATH = "connector__client"
    OF_THE_BUREAU = True

    connector = models.OneToOneField(Connector, on_delete=models.CASCADE, related_name="secret", primary_key=True)
    fields = SafeEncryptedText(default="{}")
    issued = SafeEncryptedText(default="{}")

    class Meta:
        verbose_name = _("secret")
        verbose_name_plural = _("secrets")

    def __str__(self) -> str:
        return f"secret of connector {self.connector_id}"

    def entered(self) -> dict[str, str]:
        return dict(json.loads(self.fields))


class Connection(TenantModel):
    """A client's company at the vendor, reached through a connector; what a session is opened on."""

    TENANT_PATH = "client__organisation"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, verbose_name=_("client"))
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, verbose_name=_("connector"))
    state = models.CharField(
        _("state"), max_length=8, choices=ConnectionState.choices, default=ConnectionState.NEW, db_index=True
    )
    values = models.JSONField(_("fields"), default=dict)  # of scope CONNECTION, where the connector is shared
    company_key = models.CharField(_("company key"), max_length=80, blank=True)  # made by the provider's `resolve`
    pinned_company_id = models.CharField(_("company id"), max_length=80, blank=True)
    identity = models.JSONField(_("company as verified"), default=dict)
    organisation_number = models.CharField(_("organisation number used"), max_length=20, blank=True)
    # the company seen that only people can accept, and the one they accepted: with reason, by whom and when
    unconfirmed = models.JSONField(_("company to be confirmed"), default=dict)
    confirmed = models.JSONField(_("company confirmed by staff"), default=dict)
    verified_at = models.DateTimeField(_("verified"), null=True)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ("client", "id")
        constraints = (models.UniqueConstraint(fields=("client", "connector"), name="connection_once"),)

    def __str__(self) -> str:
        from apps.connectors.registry import label_of

        return f"{label_of(self.connector.provider)} · {self.client}"

    @property
    def company(self) -> str:
        name, number = self.identity.get("name", ""), self.identity.get("organisation_number", "")
        return f"{name} ({number})" if number else name


class OAuthGrant(TenantModel):
    """What OAuth issued for one connection, and who renews it now: nobody else may, until `lease_until`.

    `in_flight` is written before a renewal is sent: found with a refused token, an answer was lost, not a consent
    withdrawn. `version` counts the pairs kept. The ends stand in clear, so that warnings need no decryption.
    """

    TENANT_PATH = "connection__client__organisation"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="grant", primary_key=True)
    tokens = SafeEncryptedText(default="{}")
    expires_at = models.DateTimeField(_("access ends"), null=True)
    refresh_expires_at = models.DateTimeField(_("consent ends"), null=True)
    version = models.PositiveIntegerField(default=0)
    in_flight = models.BooleanField(default=False)
    lease = models.CharField(max_length=32, default="", blank=True)
    lease_until = models.FloatField(default=0.0)  # seconds since the epoch
    consented_at = models.DateTimeField(_("consented"), null=True)
    consented_by = models.CharField(_("consented by"), max_length=254, blank=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return f"consent of connection {self.connection_id}"


class ConsentState(TenantModel):
    """A consent that was begun: what its answer must fit. Good once, for ten minutes; `digest` is of the state's text."""

    TENANT_PATH = "client__organisation"

    digest = models.CharField(max_length=64, primary_key=True)
    browser = models.CharField(max_length=64)  # digest of the browser session's key
    user_id = models.BigIntegerField()
    client = models.ForeignKey(Client, on_delete=models.CASCADE)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, null=True)
    provider = models.CharField(max_length=40)
    auth = models.CharField(max_length=20)
    redirect_uri = models.CharField(max_length=300)
    entered = SafeEncryptedText(default="{}")  # fields, secrets and PKCE's verifier
    made_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("begun consent")
        verbose_name_plural = _("begun consents")

    def __str__(self) -> str:
        return f"{self.provider} · {self.client}"


class PayloadKey(TenantModel):
    """What a bureau's digests of payloads are made with: random, so that a digest tells nothing of what it is of."""

    organisation = models.OneToOneField(Organisation, on_delete=models.CASCADE, primary_key=True)
    key = SafeEncryptedText()

    class Meta:
        verbose_name = _("key of payloads")
        verbose_name_plural = _("keys of payloads")

    def __str__(self) -> str:
        return f"key of payloads of organisation {self.organisation_id}"


class ExchangePayload(TenantModel):
    """A body, masked, compressed and encrypted; identical ones of a bureau are kept once."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64)
    body = SafeEncryptedBytes()
    kept_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("payload")
        verbose_name_plural = _("payloads")
        constraints = (models.UniqueConstraint(fields=("organisation", "digest"), name="payload_once"),)

    def __str__(self) -> str:
        return self.digest


class Exchange(TenantModel):
    """One HTTP call, kept for people to read; secrets are masked before it is written. `run_id` is a plain id.

    `place` is the address without its query, in clear for lists and search; what may hold personal data is encrypted,
    and NULL when its days are over. One without a connection is of no client alone: only who sees the whole bureau
    sees it.
    """

    CLIENT_PATH = "connection__client"
    BOOKS = True

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    connection = models.ForeignKey(Connection, on_delete=models.SET_NULL, null=True, verbose_name=_("connection"))
    run_id = models.BigIntegerField(_("run"), null=True, db_index=True)
    at = models.DateTimeField(_("at"), db_index=True)
    method = models.CharField(_("method"), max_length=8)
    place = models.TextField(_("address"), default="")
    url = SafeEncryptedText(_("address as sent"), null=True, default="")
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    seconds = models.FloatField(_("seconds"))
    size = models.PositiveIntegerField(_("bytes"), default=0)
    request = SafeEncryptedText(_("sent"), null=True, blank=True, default="")
    error = SafeEncryptedText(_("error"), null=True, blank=True, default="")
    payload = models.ForeignKey(ExchangePayload, on_delete=models.SET_NULL, null=True, verbose_name=_("answer"))

    class Meta:
        verbose_name = _("exchange")
        verbose_name_plural = _("exchanges")
        ordering = ("-id",)
        indexes = (models.Index(fields=("at",), condition=models.Q(url__isnull=False), name="exchange_with_content"),)

    def __str__(self) -> str:
        return f"{self.method} {self.place}"[:120]


class PageDigest(TenantModel):
    """What a vendor's page looked like when it was read last, and which ids were on it (space separated)."""

    TENANT_PATH = "connection__client__organisation"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE)
    resource = models.CharField(max_length=20)
    key = models.CharField(max_length=120)
    digest = models.CharField(max_length=200)
    ids = models.TextField(blank=True)
    read_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("page digest")
        verbose_name_plural = _("page digests")
        constraints = (models.UniqueConstraint(fields=("connection", "resource", "key"), name="page_digest_once"),)

    def __str__(self) -> str:
        return self.key


class PayloadShape(TenantModel):
    """Which fields the vendor's answers have at one place, and what is other now than it always was. No values."""

    TENANT_PATH = "connection__client__organisation"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="shapes")
    place = models.CharField(_("asked"), max_length=300)
    known = models.JSONField(default=dict)
    changes = models.JSONField(_("changed"), default=list)
    seen_at = models.DateTimeField(_("seen"), auto_now=True)

    class Meta:
        verbose_name = _("form of answers")
        verbose_name_plural = _("forms of answers")
        constraints = (models.UniqueConstraint(fields=("connection", "place"), name="shape_once"),)

    def __str__(self) -> str:
        return f"{self.connection} · {self.address}"

    @property
    def address(self) -> str:
        """For people: without the fields that were asked for."""
        return self.place.partition("?")[0]


class Examination(TenantModel):
    """What the doctor found when it looked at a connection last."""

    TENANT_PATH = "connection__client__organisation"

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True)
    at = models.DateTimeField(_("examined"), auto_now=True)
    checks = models.JSONField(default=list)
    warnings = models.JSONField(default=list)

    class Meta:
        verbose_name = _("examination")
        verbose_name_plural = _("examinations")

    def __str__(self) -> str:
        return f"examination of connection {self.connection_id}"


class RateBucket(models.Model):
    """What is left of a vendor's limit, one row per key, shared by all processes. Belongs to no organisation."""

    key = models.CharField(max_length=120, primary_key=True)
    remaining = models.IntegerField(default=0)
    resets_at = models.FloatField(default=0.0)  # seconds since the epoch
    times = models.TextField(default="", blank=True)  # of a sliding window's calls
    holder = models.CharField(max_length=32, default="", blank=True)  # of a place among the calls at once

    class Meta:
        verbose_name = _("rate bucket")
        verbose_name_plural = _("rate buckets")

    def __str__(self) -> str:
        return self.key
