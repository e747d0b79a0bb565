from django.db import models
from django.utils.translation import gettext_lazy as _


class Verdict(models.TextChoices):
    """What a line of a file, or a company that a key reaches, means for the clients there are."""

    NEW = "new", _("new")
    SAME = "same", _("there already")
    CHANGES = "changes", _("changes")
    REFUSED = "refused", _("refused")
