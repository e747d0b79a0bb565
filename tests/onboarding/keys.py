"""A bureau with one key for all clients, and the companies that it reaches."""

from dataclasses import dataclass
from typing import Any

from apps.connectors.actions import activate_shared
from apps.connectors.models import Connector
from apps.core.scope import system_scope
from apps.onboarding import work as working
from apps.onboarding.claims import rows
from apps.onboarding.enums import BUSY
from apps.onboarding.models import Batch, Line
from apps.organisations.models import Organisation, User
from tests.connectors.bench import Mouth
from tests.connectors.providers.tripletex.books import MAIN, books
from tests.factories import MembershipFactory, OrganisationFactory, UserFactory

CONSUMER, KEY = "the-consumer-token", "the-bureau-key"
WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)


def norwegian(index: int) -> str:
    """The valid organisation number that comes at `index`."""
    found = -1
    base = 81000000
    while True:
        digits = str(base)
        check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 11
        check = 0 if check == 11 else check
        if check != 10:
            found += 1
            if found == index:
                return f"{digits}{check}"
        base += 1


@dataclass
class Vendor:
    """The sandbox behind a mouth; `environment` points other processes at it."""

    mouth: Mouth
    environment: dict[str, str]

    def companies(self, *named: tuple[str, str], opened: bool = True) -> None:
        key = {"employee_token": KEY, "kind": "bureau"}
        for name, number in named:
            access: dict[str, Any] = {"consumer_token": CONSUMER, "keys": [key]}
            self.mouth.sandbox.seed(
                books(number or name, name, number, MAIN[:1]), {**access, "opened_to": [KEY] if opened else []}
            )


@dataclass
class Bureau:
    organisation: Organisation
    owner: User
    connector: Connector


def make_bureau(slug: str = "nordvik", *, key: str = KEY) -> Bureau:
    organisation = OrganisationFactory(slug=slug)
    owner = UserFactory(email=f"owner@{slug}.example")
    MembershipFactory(user=owner, organisation=organisation, role="owner")
    with system_scope("tests"):
        outcome = activate_shared(
            organisation=organisation, provider="tripletex", auth="", values={"api_key": key, "org_nr": "%ORGNR%"},
            secrets={}, actor=owner,
        )  # fmt: skip
    assert outcome.connector is not None, outcome
    return Bureau(organisation, owner, outcome.connector)


def worked(batch: Batch) -> Batch:
    """The batch worked in this process until it waits for people; waits are passed over."""
    for _ in range(50):
        batch.refresh_from_db()
        if batch.state not in BUSY:
            return batch
        rows().filter(pk=batch.pk).update(not_before=None)
        working.work(batch.pk)
    raise AssertionError(f"the batch does not end: {batch.state}")


def told(batch: Batch) -> list[tuple[str, str, str]]:
    """(company, state, code) of every line."""
    return [(line.name, line.state, line.trouble.get("code", "")) for line in Line.objects.filter(batch=batch)]
