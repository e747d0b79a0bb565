from django.db import models
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from apps.clients.models import Client
from apps.core.scope import TenantModel
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
        return self.title

    @property
    def title(self) -> str:
        return _filled(self.title_text, self.facts)

    @property
    def steps(self) -> list[str]:
        return [_filled(text, self.facts) for text in self.step_texts]


def _filled(text: str, facts: dict[str, str]) -> str:
    out = translate(text)
    for name, value in facts.items():
        out = out.replace("{" + name + "}", str(value))
    return out
