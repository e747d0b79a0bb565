"""The vendor's sandbox over real HTTP, "today" where the test wants it, and clients connected to it (see world.py)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

TODAY = datetime(2026, 4, 19, 1, 0, tzinfo=UTC)  # the window of 100 days starts on 9 January


@pytest.fixture
def today() -> Iterator[time_machine.Traveller]:
    """19 April 2026, going on from there; `today.move_to(...)` goes elsewhere."""
    with time_machine.travel(TODAY, tick=True) as traveller:
        yield traveller


@pytest.fixture
def quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No waits, and no heartbeat into a database that this test holds."""
    from apps.connectors.sdk import session as sdk_session

    settings.KONTOR_HEARTBEAT_SECONDS = 60
    settings.KONTOR_RETRY_SECONDS = 0.001
    monkeypatch.setattr(sdk_session, "FIRST_WAIT", 0.001)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two vouchers a page."""
    from apps.connectors.providers.tripletex import vouchers as voucher_pages

    monkeypatch.setattr(voucher_pages, "PAGE", 2)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from apps.connectors.providers.tripletex.sandbox import make_sandbox
    from apps.sandbox.server import running
    from apps.sandbox.store import Store
    from tests.connectors.bench import Mouth
    from tests.sync.world import CONSUMER, Vendor

    mouth = Mouth(make_sandbox(Store()))
    with running({"tripletex": mouth}) as base_url:  # type: ignore[dict-item]
        monkeypatch.setenv("CONNECTOR_TRIPLETEX_BASE_URL", f"{base_url}/tripletex")
        monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE_HOSTS", base_url.split("//", 1)[1])
        monkeypatch.setenv("CONNECTOR_TRIPLETEX_CONSUMER_TOKEN", CONSUMER)
        yield Vendor(mouth, base_url)


@pytest.fixture
def scope(db: None) -> Iterator[None]:
    from apps.core.scope import system_scope

    with system_scope("tests"):
        yield


@pytest.fixture
def connected(today: Any, quick: None, vendor: Any, scope: None) -> Any:
    """`connected()` seeds a company and gives a client with a feed on it: PLAIN books unless told otherwise."""
    from apps.connectors.actions import activate
    from apps.flows.actions import ensure_feed
    from tests.factories import ClientFactory, OrganisationFactory
    from tests.sync.world import Bookkeeping, company

    def make(told: Any = None, *, organisation: Any = None, number: str | None = None) -> Any:
        told = told or company()
        vendor.seed(told)
        client = ClientFactory(
            organisation=organisation or OrganisationFactory(),
            organisation_number=number or told.organisation_number,
            name="Fjordglimt AS",
        )
        values = {"api_key": f"key-of-{told.company}", "org_nr": ""}
        outcome = activate(client=client, provider="tripletex", auth="", values=values, secrets={}, actor=None)
        assert outcome.connection is not None
        return Bookkeeping(vendor, ensure_feed(connection=outcome.connection, actor=None))

    return make
