from django.db import models
from django.utils.translation import gettext_lazy as _


class ConnectionState(models.TextChoices):
    """`blocked`: wrong or unconfirmed company, nothing is read. `paused`: credentials refused, waits for Activate."""

    NEW = "new", _("not activated")
    ACTIVE = "active", _("active")
    BLOCKED = "blocked", _("blocked")
    PAUSED = "paused", _("paused")
