"""Whose books these are: decided by numbers where there are any, by people where there are none."""

from datetime import UTC, datetime

import pytest

from apps.clients.models import Client
from apps.connectors.guard import check_company, same_vat
from apps.connectors.models import Connection
from apps.records.enums import Proof
from apps.records.ledger import Identity

NUMBER, OTHER = "923609016", "974760673"
CLIENT = Client(name="Fjord AS", country="NO", organisation_number=NUMBER)


def company(**changes: object) -> Identity:
    given = {"company_id": "7", "name": "Fjord AS", "organisation_number": NUMBER} | changes
    return Identity(**given)  # type: ignore[arg-type]


def code(identity: Identity, client: Client = CLIENT, connection: Connection | None = None, confirmed: str = "") -> str:
    trouble = check_company(identity=identity, client=client, connection=connection, confirmed_id=confirmed)
    return trouble.code if trouble else ""


@pytest.mark.parametrize("number", [NUMBER, "NO 923 609 016 MVA", "923609016MVA"])
def test_the_same_number_however_written(number: str) -> None:
    assert code(company(organisation_number=number)) == ""


def test_another_number_names_both_companies() -> None:
    trouble = check_company(identity=company(name="Fjell AS", organisation_number=OTHER), client=CLIENT)

    assert trouble is not None
    assert trouble.code == "connector.wrong_company"
    title = trouble.title.format_map(trouble.facts)
    assert title == f"The connection opens Fjell AS ({OTHER}), but the client is Fjord AS ({NUMBER})."


@pytest.mark.parametrize(("told", "shown"), [("559614-0839", "5596140839"), ("not a number", "not a number")])
def test_numbers_to_be_compared_are_spelt_alike(told: str, shown: str) -> None:
    client = Client(name="Gym AB", country="SE", organisation_number="5594887209")
    trouble = check_company(identity=company(organisation_number=told), client=client)

    assert trouble is not None
    assert (trouble.facts["company_number"], trouble.facts["client_number"]) == (shown, "5594887209")


def test_another_number_cannot_be_confirmed() -> None:
    confirmed = Connection(confirmed={"company_id": "7"}, pinned_company_id="7")
    assert code(company(organisation_number=OTHER), connection=confirmed, confirmed="7") == "connector.wrong_company"


def test_without_a_number_the_vat_number_counts() -> None:
    assert code(company(organisation_number=None, vat_number="NO923609016MVA")) == ""
    assert code(company(organisation_number=None, vat_number="NO974760673MVA")) == "connector.wrong_company"


@pytest.mark.parametrize(
    ("country", "vat", "number"),
    [("NO", "NO923609016MVA", NUMBER), ("SE", "SE556036079301", "5560360793"), ("FI", "FI01120389", "0112038-9")],
)
def test_vat_numbers_hold_the_organisation_number(country: str, vat: str, number: str) -> None:
    assert same_vat(country, vat, number)
    assert not same_vat(country, vat, OTHER)


def test_an_addressed_company_is_accepted_when_the_clients_number_was_sent() -> None:
    assert code(company(proof=Proof.ADDRESSED)) == ""
    assert code(company(proof=Proof.ADDRESSED, organisation_number=OTHER)) == "connector.wrong_company"


@pytest.mark.parametrize(
    ("identity", "client"),
    [
        (company(proof=Proof.NONE), CLIENT),
        (company(organisation_number=None), CLIENT),
        (company(), Client(name="Fjord AS", country="NO")),
    ],
    ids=["vendor proves nothing", "vendor tells no number", "client has no number"],
)
def test_without_proof_staff_confirm_the_company_once(identity: Identity, client: Client) -> None:
    assert code(identity, client) == "connector.unconfirmed_company"
    assert code(identity, client, confirmed="7") == ""
    assert code(identity, client, Connection(confirmed={"company_id": "7"})) == ""
    assert code(identity, client, Connection(confirmed={"company_id": "8"})) == "connector.unconfirmed_company"


def test_another_company_of_the_same_number_is_blocked_until_confirmed() -> None:
    pinned = Connection(pinned_company_id="6", verified_at=datetime.now(UTC))

    trouble = check_company(identity=company(name="Fjord AS (kopi)"), client=CLIENT, connection=pinned)

    assert trouble is not None
    assert trouble.code == "connector.other_company_id"
    assert (trouble.facts["company_id"], trouble.facts["pinned_id"]) == ("7", "6")
    assert code(company(), connection=pinned, confirmed="7") == ""
    assert code(company(company_id="6"), connection=pinned) == ""
