"""Fixtures of office's tests. Models are imported inside: this file is loaded before Django is set up."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 20, 8, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def bureau(db: None) -> Any:
    from tests.office.bureau import make_bureau

    return make_bureau("nordvik", "987463104")


@pytest.fixture
def other(db: None) -> Any:
    from tests.office.bureau import make_bureau

    return make_bureau("sorvik", "985952442")


@pytest.fixture
def owner(bureau: Any) -> Any:
    from tests.office.bureau import signed_in

    return signed_in(bureau.member("owner"))


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from tests.onboarding.conftest import serving

    with serving(monkeypatch) as found:
        yield found
