"""`manage.py client add`."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.organisations.models import Organisation

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def add(**changes: str) -> dict[str, Any]:
    values = {"organisation": "nord-regnskap", "number": "1001", "name": "Fjell AS", "country": "NO"} | changes
    out = io.StringIO()
    arguments = [word for name, value in values.items() for word in (f"--{name}", value)]
    call_command("client", "add", *arguments, "--json", stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_client_and_its_organisation_are_made() -> None:
    assert add(orgnr="923 609 016", country="no") == {
        "organisation": "nord-regnskap",
        "number": "1001",
        "name": "Fjell AS",
        "country": "NO",
        "organisation_number": "923609016",
        "created": True,
    }
    assert Organisation.objects.get().name == "Nord Regnskap"
    assert AuditLine.objects.get().action == "client.added"


def test_client_without_an_organisation_number() -> None:
    assert add()["organisation_number"] is None


def test_same_again_changes_nothing_and_says_so() -> None:
    add(orgnr="923609016")
    assert add(orgnr="NO 923 609 016 MVA")["created"] is False
    assert (Client.objects.count(), AuditLine.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"orgnr": "923609017"}, "--orgnr .*923609017"),
        ({"country": "NOR"}, "NO"),
        ({"number": "1/2"}, "slash"),
        ({"name": ""}, "--name"),
        ({"organisation": "not a slug"}, "--organisation"),
    ],
)
def test_wrong_values_are_wrong_use_and_leave_nothing(changes: dict[str, str], named: str) -> None:
    with pytest.raises(CommandError, match=named) as refused:
        add(**changes)
    assert refused.value.returncode == 2
    assert (Client.objects.count(), Organisation.objects.count()) == (0, 0)


def test_same_number_with_other_data_is_refused_and_names_what_is_held() -> None:
    add(orgnr="923609016")
    with pytest.raises(CommandError, match="Fjell AS, NO, 923609016") as refused:
        add(name="Dal AS")
    assert refused.value.returncode == 2
    assert Client.objects.get().name == "Fjell AS"


def test_organisation_number_of_another_client_is_refused() -> None:
    add(orgnr="923609016")
    with pytest.raises(CommandError, match="organisation number"):
        add(number="1002", orgnr="923609016")
    assert Client.objects.count() == 1


def test_two_bureaus_may_use_one_number() -> None:
    add()
    assert add(organisation="sor")["created"] is True
