from django.db import models
from django.utils.translation import gettext_lazy as _


class ConnectionState(models.TextChoices):
    """`blocked`: wrong or unconfirmed company, nothing is read. `paused`: credentials refused, waits for Activate."""

    NEW = "new", _("not activated")
    ACTIVE = "active", _("active")
    BLOCKED = "blocked", _("blocked")
    PAUSED = "paused", _("paused")


class Check(models.TextChoices):
    """What the doctor looks at, in this order."""

    ADDRESS = "address", _("Address")
    TLS = "tls", _("Secure connection")
    CREDENTIALS = "credentials", _("Key")
    TOKEN = "token", _("Sign-in")
    RIGHTS = "rights", _("Rights")
    COMPANY = "company", _("Company")
    READ = "read", _("Reading")


class CheckState(models.TextChoices):
    OK = "ok", _("in order")
    FAILED = "failed", _("failed")
    NOT_REACHED = "not_reached", _("not reached")
