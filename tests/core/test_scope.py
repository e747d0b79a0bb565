"""The tenant scope fails closed."""

import pytest

from apps.clients.models import Client
from apps.core.scope import NoScopeError, current_scope, organisation_scope, system_scope
from tests.factories import ClientFactory, ConnectionFactory


def test_a_query_outside_a_scope_fails() -> None:
    with pytest.raises(NoScopeError, match="Client"):
        Client.objects.count()


def test_only_the_scopes_organisations_are_seen(db: None) -> None:
    mine, other = ClientFactory(), ClientFactory()

    with organisation_scope([mine.organisation_id]):
        assert list(Client.objects.all()) == [mine]
    with organisation_scope([]):
        assert not Client.objects.exists()
    with system_scope("tests"):
        assert set(Client.objects.all()) == {mine, other}
    assert current_scope() is None


def test_a_row_reaches_its_organisation_over_others(db: None) -> None:
    mine, _other = ConnectionFactory(), ConnectionFactory()
    model = type(mine)

    with organisation_scope([mine.client.organisation_id]):
        assert list(model.objects.all()) == [mine]


def test_an_inner_scope_never_sees_more_than_the_outer_one(db: None) -> None:
    mine, other = ClientFactory(), ClientFactory()

    with organisation_scope([mine.organisation_id]), organisation_scope([mine.organisation_id, other.organisation_id]):
        assert list(Client.objects.all()) == [mine]


def test_the_scope_ends_with_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), system_scope("tests"):
        _ = 1 / 0
    assert current_scope() is None
