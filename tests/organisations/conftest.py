"""Fixtures of the sign-in's tests. Models are imported inside: this file is loaded before Django is set up."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def person(db: None) -> Any:
    from tests.factories import MembershipFactory, UserFactory
    from tests.organisations.visitor import PASSWORD

    made = UserFactory(email="kari@nordvik.example", name="Kari")
    made.set_password(PASSWORD)
    made.save()
    MembershipFactory(user=made, role="owner")
    return made


@pytest.fixture
def visitor(live_server: Any) -> Callable[[], Any]:
    """`visitor()` is another browser."""
    from tests.organisations.visitor import Visitor

    return lambda: Visitor(live_server.url)


@pytest.fixture
def demanded(settings: Any) -> None:
    """Staff must have a second factor, and wrong codes cost no waiting unless a test asks for it."""
    settings.KONTOR_TWO_FACTOR = True
    settings.KONTOR_OTP_THROTTLE_SECONDS = 0
