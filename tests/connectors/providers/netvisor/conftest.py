from collections.abc import Iterator

import pytest

from tests.connectors.bench import Bench, bench_of
from tests.connectors.providers.netvisor.harness import HARNESS
from tests.connectors.providers.netvisor.resources import check
from tests.specs import specs_folder


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Netvisor's sandbox; what went over the wire is checked against the vendor's list when the test ends."""
    with bench_of(HARNESS) as made:
        yield made
        if specs_folder() is not None:
            for exchange in made.exchanges:
                if exchange.status is not None:
                    check(exchange)
