"""After the night: what a run has read to its end is known to be well, the others are asked."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.models import OrmQ

from apps.connectors.models import Connection, Examination, PayloadShape
from apps.notifications.models import Problem
from apps.sync import tasks
from tests.sync.world import company


def test_only_what_no_run_has_read_is_asked(connected: Any) -> None:
    read, unread = connected(), connected(company(key="other", number="974760673"))
    Connection.objects.update(verified_at=timezone.now() - timedelta(days=2))
    since = (timezone.now() - timedelta(minutes=1)).isoformat()
    read.night()

    assert tasks.examine_all(read.client.organisation_id, since) == "0 to be asked"
    assert tasks.examine_all(unread.client.organisation_id, since) == "1 to be asked"

    assert {found["state"] for found in Examination.objects.get().checks} == {"ok"}
    (task,) = [row.task for row in OrmQ.objects.all() if "examine" in row.task["func"]]
    assert task["args"] == (unread.feed.connection_id,)
    assert tasks.examine(unread.feed.connection_id) == "in order"
    assert tasks.examine(0) == "gone"
    assert not Problem.objects.exists()


def test_a_connection_made_after_the_night_began_waits_for_the_next(connected: Any) -> None:
    made = connected()
    since = (timezone.now() - timedelta(minutes=1)).isoformat()

    assert tasks.examine_all(made.client.organisation_id, since) == "0 to be asked"
    assert not Examination.objects.exists()


def test_a_night_learns_the_form_of_what_it_reads(connected: Any) -> None:
    made = connected()
    made.night()

    places = set(PayloadShape.objects.values_list("place", flat=True))
    assert any(place.startswith("/ledger/voucher?fields=") for place in places)
    assert not any("1" in place.split("?")[0].replace("/v1", "") for place in places), places
    fields = {name for row in PayloadShape.objects.all() for name in row.known["fields"]}
    assert {"values[].date", "values[].postings[].account.number"} <= fields


def test_purge_is_a_task_that_goes_on_until_all_is_gone(connected: Any, settings: Any) -> None:
    settings.KONTOR_SLICE_SECONDS = 60
    assert tasks.purge() == ""
