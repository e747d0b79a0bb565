"""Money is exact, and what is secret is unreadable in the database."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from apps.connectors.models import ConnectorSecret
from apps.core.fields import AmountError, AmountField, from_units, to_units
from apps.core.scope import system_scope
from tests.factories import ConnectorFactory


@pytest.mark.parametrize(
    ("amount", "units"), [("0", 0), ("1.1", 11000), ("-0.0001", -1), ("922337203685477.5807", 2**63 - 1)]
)
def test_amounts_go_there_and_back(amount: str, units: int) -> None:
    assert to_units(Decimal(amount)) == units
    assert from_units(units) == Decimal(amount)


@pytest.mark.parametrize("amount", ["0.00001", "NaN", "Infinity", "922337203685477.5808"])
def test_an_amount_that_does_not_fit_is_told_never_rounded(amount: str) -> None:
    with pytest.raises(AmountError):
        to_units(Decimal(amount))


def test_amounts_have_two_places_at_least() -> None:
    assert str(from_units(100_0000)) == "100.00"
    assert str(from_units(1_2345)) == "1.2345"
    assert from_units(None) is None


def test_a_binary_fraction_is_no_amount() -> None:
    with pytest.raises(TypeError):
        AmountField().get_prep_value(0.1)


def test_secrets_are_encrypted_by_every_way_in(db: None) -> None:
    made = [ConnectorSecret(connector=ConnectorFactory(), fields="canary") for _ in range(2)]
    with system_scope("tests"):
        ConnectorSecret.objects.bulk_create(made)
        assert _stored() == ["canary", "canary"]

        for row in made:
            row.fields = "canary bulk"
        ConnectorSecret.objects.bulk_update(made, ["fields"])
        assert _stored() == ["canary bulk", "canary bulk"]

        ConnectorSecret.objects.update(fields="canary update")
        assert _stored() == ["canary update", "canary update"]


def test_an_expression_on_a_secret_is_refused(db: None) -> None:
    made = ConnectorSecret(connector=ConnectorFactory(), fields="canary")
    with system_scope("tests"):
        made.save()
        with pytest.raises(FieldError), transaction.atomic():
            ConnectorSecret.objects.update(fields=F("issued"))
        assert _stored() == ["canary"]


def _stored() -> list[str]:
    """What the program reads, after a look that the database itself shows nothing of it."""
    with database.cursor() as cursor:
        cursor.execute("SELECT fields FROM connectors_connectorsecret")
        assert [row for row in cursor.fetchall() if b"canary" in bytes(row[0])] == []
    return list(ConnectorSecret.objects.order_by("pk").values_list("fields", flat=True))


def test_dumpdata_writes_secrets_encrypted_and_loaddata_takes_them_back(db: None) -> None:
    from django.core import serializers

    from apps.connectors.exchanges import keep_payload
    from apps.connectors.models import ExchangePayload
    from tests.factories import OrganisationFactory

    with system_scope("tests"):
        ConnectorSecret.objects.create(connector=ConnectorFactory(), fields="canary")
        payload = keep_payload(OrganisationFactory().pk, b"canary")
        body = ExchangePayload.objects.get().body
        text = serializers.serialize("json", [*ConnectorSecret.objects.all(), *ExchangePayload.objects.all()])
        assert "canary" not in text
        ConnectorSecret.objects.update(fields="lost")
        ExchangePayload.objects.update(body=b"lost")

        for row in serializers.deserialize("json", text):
            row.save()

        assert _stored() == ["canary"]
        assert ExchangePayload.objects.get(pk=payload).body == body


def test_dumpdata_and_loaddata_see_every_bureau(db: None, tmp_path: Path) -> None:
    """Also the clients chosen for a token, which Django asks for by the model's own manager."""
    from apps.clients.models import ApiToken
    from tests.factories import ClientFactory

    clients = [ClientFactory(), ClientFactory()]
    with system_scope("tests"):
        for client in clients:
            token = ApiToken.objects.create(organisation=client.organisation, name="x", digest=str(client.pk))
            token.clients.add(client)
    file = tmp_path / "all.json"

    call_command("dumpdata", "clients", "organisations", output=str(file))
    with system_scope("tests"):
        ApiToken.objects.all().delete()
    call_command("loaddata", str(file))

    with system_scope("tests"):
        assert [list(token.clients.all()) for token in ApiToken.objects.order_by("pk")] == [[one] for one in clients]
