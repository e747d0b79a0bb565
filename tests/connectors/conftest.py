from collections.abc import Iterator

import pytest

from tests.connectors.bench import Bench, Harness, bench_of, harnesses


@pytest.fixture(params=harnesses(), ids=lambda harness: harness.slug, scope="session")
def harness(request: pytest.FixtureRequest) -> Harness:
    found: Harness = request.param
    return found


@pytest.fixture
def bench(harness: Harness) -> Iterator[Bench]:
    with bench_of(harness) as made:
        yield made
