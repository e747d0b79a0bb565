"""The sandbox over HTTP, with its limit (`limited`) and without (`client`); the connector against it (`bench`)."""

from collections.abc import Iterator

import pytest

from apps.connectors.providers.fortnox.sandbox import make_sandbox
from apps.sandbox.server import running
from apps.sandbox.store import Store
from tests.connectors.bench import Bench, bench_of
from tests.connectors.providers.fortnox.harness import HARNESS
from tests.connectors.providers.fortnox.openapi import check
from tests.connectors.providers.fortnox.vendor import CLIENT, OTHER, TENANT, Client, make_books
from tests.specs import specs_folder


@pytest.fixture
def limited() -> Iterator[Client]:
    """With the vendor's limit enforced, as it is by default."""
    sandbox = make_sandbox(Store())
    consent = {"client_id": "app", "service": True}
    sandbox.seed(make_books("c2", "Grannen AB", 3), {"tenant": OTHER, "clients": [CLIENT], "consents": [consent]})
    sandbox.seed(make_books(), {"tenant": TENANT, "consents": [consent]})
    with running({"fortnox": sandbox}) as base:
        yield Client(base, sandbox).log_in()


@pytest.fixture
def client(limited: Client) -> Client:
    limited.set("rate_limit", {"off": True})
    return limited


@pytest.fixture
def bench() -> Iterator[Bench]:
    """What went over the wire is checked against the vendor's document when the test ends."""
    with bench_of(HARNESS) as made:
        yield made
        if specs_folder() is not None:
            for exchange in made.exchanges:
                if exchange.status is not None and "/oauth-v1/" not in exchange.url:
                    check(exchange)
