from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.clients.models import AssignmentKind

LAST_DAYS, THIS_YEAR, SINCE = "days", "year", "since"


class SynchronizeForm(forms.Form):
    """The small form of "Synchronize data from all integrations"."""

    span = forms.ChoiceField(choices=[(LAST_DAYS, _("last days")), (THIS_YEAR, _("this year")), (SINCE, _("since"))])
    since = forms.DateField(required=False)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("span") == SINCE and not values.get("since"):
            self.add_error("since", _("Choose the day to read from."))
        return values

    def window(self) -> dict[str, Any]:
        """Arguments of `start_sync`."""
        span = self.cleaned_data["span"]
        if span == SINCE:
            return {"window_from": self.cleaned_data["since"]}
        return {"this_year": True} if span == THIS_YEAR else {"days": settings.KONTOR_WINDOW_DAYS}


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300)


class LedgerFileForm(forms.Form):
    file = forms.FileField(label=_("File"), allow_empty_file=True)
    replace = forms.BooleanField(label=_("Take over days that belong to another source"), required=False)


class MuteForm(forms.Form):
    until = forms.DateField()
    reason = forms.CharField(max_length=300)


class NumberForm(forms.Form):
    number = forms.CharField(max_length=20, required=False)
    reason = forms.CharField(max_length=300)


class AssignmentForm(forms.Form):
    membership = forms.IntegerField(min_value=1)
    kind = forms.ChoiceField(choices=AssignmentKind.choices)
    first_year = forms.IntegerField(min_value=1900, max_value=2999, required=False)
    last_year = forms.IntegerField(min_value=1900, max_value=2999, required=False)
    ends_on = forms.DateField(required=False)
