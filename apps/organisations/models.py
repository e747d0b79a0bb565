import hashlib
import time
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from apps.core.fields import SafeEncryptedText
from apps.core.scope import TenantModel, current_scope
from apps.organisations.enums import Role
from apps.organisations.rights import roles_with


def check_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("There is no time zone called “%(name)s”."), params={"name": name})


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(_("time zone"), max_length=60, default="Europe/Oslo", validators=[check_time_zone])
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("bureau staff"), default=False)
    joined_at = models.DateTimeField(_("joined"), auto_now_add=True)
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)  # how often all of them were

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("email",)

    def __str__(self) -> str:
        scope = current_scope()
        nameless = scope is not None and scope.reach is not None and self.pk in scope.reach.nameless
        return self.email if nameless else self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What Django compares every session with: it ends when the password or `sessions_ended` changes."""
        held = f"{self.sessions_ended}:{self.password}"
        return salted_hmac("kontor.session", held, secret=secret, algorithm="sha256").hexdigest()

    def get_full_name(self) -> str:
        return str(self)

    def roles(self) -> dict[int, str]:
        """The role in each organisation, by its id; read once per loaded user."""
        if not hasattr(self, "_roles"):
            rows = Membership._base_manager.filter(user=self).values_list("organisation_id", "role")
            self._roles = dict(rows)
        return self._roles

    def may(self, right: str, organisation_id: int | None = None) -> bool:
        """Whether the person has the right (`app.model.action`, or a level of `rights.LEVELS`) there, or anywhere."""
        allowed = roles_with(right)
        if not self.is_active or not allowed:
            return False
        if self.is_superuser:
            return True
        roles = self.roles()
        held = roles.values() if organisation_id is None else [roles.get(organisation_id)]
        return any(role in allowed for role in held)

    # Django's own permissions are not used: our models go by roles, and those of others are for superusers only.

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active and self.is_superuser

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_active and self.is_superuser


class Organisation(TenantModel):
    """An accounting bureau: the tenant."""

    TENANT_PATH = "pk"

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    country = models.CharField(_("country"), max_length=2, default="NO")
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(_("time zone"), max_length=60, default="Europe/Oslo", validators=[check_time_zone])
    night_hour = models.PositiveSmallIntegerField(
        _("hour of the nightly run"), default=2, validators=[MaxValueValidator(23)], help_text=_("Local time, 0 to 23.")
    )
    members: models.ManyToManyField[User, "Membership"] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership"
    )

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Membership(TenantModel):
    """`met`: the person has signed in since. Until then the bureau is told nothing but the address that it wrote."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, verbose_name=_("user"))
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=_("organisation"))
    role = models.CharField(_("role"), max_length=12, choices=Role.choices)
    met = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (models.UniqueConstraint(fields=("user", "organisation"), name="membership_once"),)

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class SecondFactor(ThrottlingMixin, Device):
    """The authenticator app of a person, and the recovery codes that stand in for it; at most one counts.

    A row of our own instead of django-otp's: its key is encrypted at rest, and its codes are kept as digests.
    """

    PERIOD = 30  # seconds a code lives; one before and one after are taken too, for clocks that are off
    DIGITS = 6

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("user"))
    key = SafeEncryptedText(_("key"))
    last_step = models.BigIntegerField(_("last step used"), default=-1)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        constraints = (
            models.UniqueConstraint(
                fields=("user",), condition=models.Q(confirmed=True), name="one_confirmed_second_factor"
            ),
        )

    def get_throttle_factor(self) -> int:
        return int(settings.KONTOR_OTP_THROTTLE_SECONDS)

    def locked_until(self) -> datetime | None:
        """After wrong codes no code is looked at until then: 1, 2, 4 ... times the setting."""
        _allowed, why = self.verify_is_allowed()
        return why["locked_until"] if why else None

    @property
    def shown_key(self) -> str:
        """As apps take it when it is typed: base 32."""
        return b32encode(bytes.fromhex(self.key)).decode()

    def step_of(self, code: str) -> int | None:
        """The step of time whose code this is and that was not used yet, or None."""
        totp = TOTP(bytes.fromhex(self.key), step=self.PERIOD, digits=self.DIGITS)
        totp.time = time.time()
        fits = code.isascii() and code.isdigit() and len(code) == self.DIGITS
        if fits and totp.verify(int(code), tolerance=1, min_t=self.last_step + 1):
            found: int = totp.t()
            return found
        return None


class RecoveryCode(models.Model):
    """Good once, instead of a code of the app. Only its digest is kept."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = (models.UniqueConstraint(fields=("factor", "digest"), name="recovery_code_once"),)

    def __str__(self) -> str:
        return f"{self.factor}"

    @staticmethod
    def digest_of(code: str) -> str:
        """80 bits of chance need no salt; blanks, dashes and case do not count."""
        plain = "".join(sign for sign in code.upper() if sign.isalnum())
        return hashlib.sha256(plain.encode()).hexdigest()
