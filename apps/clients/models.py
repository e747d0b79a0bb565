import hashlib
import secrets
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.clients.identifiers import clean_organisation_number
from apps.core.scope import TenantModel
from apps.organisations.models import Organisation, check_time_zone


class Client(TenantModel):
    """A company whose books the bureau keeps."""

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
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("organisation", "number"), name="client_number_once"),
            models.UniqueConstraint(
                fields=("organisation", "country", "organisation_number"),
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


class ApiToken(TenantModel):
    """A token of the REST status API. Only its hash is kept; no clients named means every client of the bureau."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    name = models.CharField(_("name"), max_length=80, help_text=_("What uses it, such as: dashboard in reception."))
    digest = models.CharField(_("hash"), max_length=64, unique=True, editable=False)
    clients: models.ManyToManyField[Client, models.Model] = models.ManyToManyField(
        Client, blank=True, verbose_name=_("only these clients")
    )
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
