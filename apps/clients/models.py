import hashlib
import secrets
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.identifiers import clean_organisation_number
from apps.core.scope import TenantModel
from apps.organisations.models import Membership, Organisation, check_time_zone


class Client(TenantModel):
    """A company whose books the bureau keeps."""

    CLIENT_PATH = "pk"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, verbose_name=_("organisation"))
    number = models.CharField(_("client number"), max_length=20)
    name = models.CharField(_("name"), max_length=160)
    country = models.CharField(_("country"), max_length=2, help_text=_("Two letters, such as NO."))
    organisation_number = models.CharField(_("organisation number"), max_length=20, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=60, blank=True, validators=[check_time_zone], help_text=_("Empty: the bureau's.")
    )
    responsible = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("responsible accountant"),
    )
    restricted = models.BooleanField(
        _("restricted"), default=False, help_text=_("Seen only by the people named for it, whatever their role.")
    )
    # The organisation number was changed after something had been read: what was read is shown to nobody until a
    # manager releases it. `hidden` says which numbers, by whom, and which companies were read.
    hidden_at = models.DateTimeField(_("books hidden"), null=True, editable=False)
    hidden = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("organisation", "number"), name="client_number_once"),
            models.UniqueConstraint(
                fields=("organisation", "organisation_number"),  # whatever the country: it is a key to books
                condition=~models.Q(organisation_number=""),
                name="client_orgnr_once",
                violation_error_message=_("Another client of this bureau has this organisation number."),
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.country = self.country.strip().upper()
        if len(self.country) != 2 or not self.country.isalpha():
            raise ValidationError({"country": _("A country is two letters, such as NO.")})
        if self.organisation_number:
            try:
                self.organisation_number = clean_organisation_number(self.country, self.organisation_number)
            except ValidationError as error:
                raise ValidationError({"organisation_number": error}) from error

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone or self.organisation.time_zone)


class AssignmentKind(models.TextChoices):
    """Besides the responsible accountant, who stands on the client itself."""

    SUBSTITUTE = "substitute", _("Substitute")
    NAMED = "named", _("Named")
    AUDIT = "audit", _("Auditor")


class Assignment(TenantModel):
    """A person of the bureau who is named for a client; gone with the membership.

    An accountant sees the clients that he is named for, an auditor those of kind AUDIT, in these years (by the year a
    fiscal year ends in), to the last day. A restricted client is seen by nobody else.
    """

    TENANT_PATH = "client__organisation"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, verbose_name=_("client"))
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, verbose_name=_("person"))
    kind = models.CharField(_("as"), max_length=10, choices=AssignmentKind.choices)
    first_year = models.PositiveSmallIntegerField(_("first year"), null=True, blank=True)
    last_year = models.PositiveSmallIntegerField(_("last year"), null=True, blank=True)
    ends_on = models.DateField(_("last day"), null=True, blank=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ("client", "kind", "id")
        constraints = (
            models.UniqueConstraint(fields=("client", "membership", "kind"), name="assigned_once"),
            models.CheckConstraint(
                condition=~models.Q(kind=AssignmentKind.AUDIT)
                | models.Q(first_year__isnull=False, last_year__gte=models.F("first_year"), ends_on__isnull=False),
                name="audit_has_years_and_an_end",
            ),
        )

    def __str__(self) -> str:
        return f"{self.membership.user} · {self.get_kind_display()} · {self.client}"


class ChosenClients(models.Model):
    """What a machine sees.

    `all_clients`: every client of the bureau but the restricted ones; those, and without it all, are named one by one.
    """

    clients: models.ManyToManyField[Client, models.Model] = models.ManyToManyField(
        Client, blank=True, verbose_name=_("clients")
    )
    all_clients = models.BooleanField(
        _("all clients"), default=False, help_text=_("Also those that come later; restricted ones have to be named.")
    )

    class Meta:
        abstract = True

    def seen_clients(self) -> models.QuerySet[Client]:
        """To be asked in the scope of the bureau: the clients named, or all that are not restricted too."""
        named = self.clients.through._default_manager.filter(**{self._meta.model_name or "": self.pk})
        sees = models.Q(pk__in=named.values("client"))
        if self.all_clients:
            sees |= models.Q(restricted=False)
        return Client.objects.filter(sees, organisation=self.organisation_id)  # type: ignore[attr-defined]


class ApiToken(ChosenClients, TenantModel):
    """A token of the REST status API. Only its hash is kept."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    name = models.CharField(_("name"), max_length=80, help_text=_("What uses it, such as: dashboard in reception."))
    digest = models.CharField(_("hash"), max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


def new_token() -> str:
    return "kontor_" + secrets.token_urlsafe(32)


def token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
