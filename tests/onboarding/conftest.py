"""A bureau's key on the vendor's sandbox, served over HTTP by a thread of the test: other processes reach it too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@pytest.fixture
def scope(db: None) -> Iterator[None]:
    from apps.core.scope import system_scope

    with system_scope("tests"):
        yield


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from apps.connectors.providers.tripletex.sandbox import make_sandbox
    from apps.connectors.sdk import session as sdk_session
    from apps.sandbox.server import running
    from apps.sandbox.store import Store
    from tests.connectors.bench import Mouth
    from tests.onboarding.keys import CONSUMER, Vendor

    monkeypatch.setattr(sdk_session, "FIRST_WAIT", 0.001)
    mouth = Mouth(make_sandbox(Store()))
    with running({"tripletex": mouth}) as base_url:  # type: ignore[dict-item]
        environment = {
            "CONNECTOR_TRIPLETEX_BASE_URL": f"{base_url}/tripletex",
            "CONNECTOR_ALLOW_PRIVATE_HOSTS": base_url.split("//", 1)[1],
            "CONNECTOR_TRIPLETEX_CONSUMER_TOKEN": CONSUMER,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Vendor(mouth, environment)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with serving(monkeypatch) as found:
        yield found
