"""Organisation numbers by country: checked with python-stdnum where it knows the number, else by form."""

import importlib
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# country -> the module of python-stdnum, an example; figures of law live in the library
MODULES = {
    "NO": ("stdnum.no.orgnr", "923609016"),
    "SE": ("stdnum.se.orgnr", "556036-0793"),
    "FI": ("stdnum.fi.ytunnus", "0112038-9"),
    "DK": ("stdnum.dk.cvr", "13585628"),
    "CZ": ("stdnum.cz.dic", "25123891"),
    "PL": ("stdnum.pl.nip", "8567346215"),
    "DE": ("stdnum.de.vat", "DE136695976"),
}
# countries whose number the library lacks: the form only (nl.kvk, sk.ico)
FORMS = {"NL": (r"\d{8}", "33031431"), "SK": (r"\d{8}", "36631124")}


def clean_organisation_number(country: str, number: str) -> str:
    """The number in its short form. Raises ValidationError naming the country's form and an example."""
    text = number.strip()
    if country == "NO":
        text = re.sub(r"(?i)^NO|MVA$", "", text.replace(" ", ""))
    if country in MODULES:
        module_name, example = MODULES[country]
        module = importlib.import_module(module_name)
        try:
            return str(module.compact(module.validate(text)))
        except module.ValidationError as error:
            raise _refused(country, number, example) from error
    if country in FORMS:
        form, example = FORMS[country]
        digits = re.sub(r"[\s.-]", "", text)
        if re.fullmatch(form, digits):
            return digits
        raise _refused(country, number, example)
    if re.fullmatch(r"[0-9A-Za-z .\-/]{4,20}", text):
        return text
    raise ValidationError(_("“%(number)s” is not an organisation number."), params={"number": number})


def example_of(country: str) -> str:
    """A number of the country's form; empty where any form is taken."""
    return {**MODULES, **FORMS}.get(country, ("", ""))[1]


def _refused(country: str, number: str, example: str) -> ValidationError:
    return ValidationError(
        _("“%(number)s” is not an organisation number of %(country)s. Example: %(example)s."),
        params={"number": number, "country": country, "example": example},
    )


def same_number(country: str, one: str | None, other: str | None) -> bool:
    """Whether two numbers name the same company; a form that cannot be read is compared by its letters and digits."""
    if not one or not other:
        return False
    try:
        return clean_organisation_number(country, one) == clean_organisation_number(country, other)
    except ValidationError:
        return _bare(one) == _bare(other)


def short_form(country: str, number: str) -> str:
    """For people who compare numbers: each in the country's short form; what cannot be read stays as it came."""
    try:
        return clean_organisation_number(country, number)
    except ValidationError:
        return number


def _bare(number: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", number.upper())
