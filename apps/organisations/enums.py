from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    MANAGER = "manager", _("Manager")
    ACCOUNTANT = "accountant", _("Accountant")
    REVIEWER = "reviewer", _("Reviewer")
    READ_ONLY = "read_only", _("Read only")
    AUDITOR = "auditor", _("Auditor")
