from collections.abc import Iterator

import pytest

from tests.connectors.bench import Bench, bench_of
from tests.connectors.providers.fortnox.harness import HARNESS
from tests.connectors.providers.fortnox.openapi import check
from tests.specs import specs_folder


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Fortnox' sandbox; what went over the wire is checked against the vendor's document when the test ends."""
    with bench_of(HARNESS) as made:
        yield made
        if specs_folder() is not None:
            for exchange in made.exchanges:
                if exchange.status is not None and "/oauth-v1/" not in exchange.url:
                    check(exchange)
