"""The tenant scope fails closed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.clients.models import Client
from apps.core.scope import NoScopeError, current_scope, organisation_scope, system_scope
from apps.flows.models import Feed
from tests.factories import ClientFactory, ConnectionFactory, FeedFactory


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


def test_a_scoped_update_keeps_its_conditions_on_the_row_so_that_compare_and_set_holds(db: None) -> None:
    feed = FeedFactory()

    with organisation_scope({feed.client.organisation_id}, "tests"), CaptureQueriesContext(connection) as seen:
        changed = Feed.objects.filter(pk=feed.pk, enabled=True).update(enabled=False)

    assert changed == 1
    (statement,) = [query["sql"] for query in seen.captured_queries]
    assert 'WHERE "flows_feed"."id" IN (SELECT' not in statement
    assert '"flows_feed"."enabled"' in statement.split("WHERE", 1)[1]
