"""What was taken in goes from its batch when its days are over; the clients stay."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.clients.models import Client
from apps.onboarding.models import Batch, Line
from apps.sync.retention import purge_all
from tests.factories import ClientFactory


def test_batches_that_are_over_or_never_started_go_with_their_lines(scope: None, settings: Any) -> None:
    client = ClientFactory()
    ages = {"ended": 91, "stopped": 91, "open": 91, "working": 91, "ended lately": 89, "open lately": 89}
    for name, days in ages.items():
        state, then = name.split()[0], timezone.now() - timedelta(days=days)
        ended = then if state in ("ended", "stopped") else None
        batch = Batch.objects.create(
            organisation=client.organisation, origin="file", file_name=name, state=state, actor="x", ended_at=ended
        )
        Batch.objects.filter(pk=batch.pk).update(made_at=then)
        Line.objects.create(batch=batch, position=2, responsible="kari@bureau.example", client=client, verdict="same")

    assert purged() == {"batches of clients taken in": 6}  # and their lines
    assert set(Batch.objects.values_list("file_name", flat=True)) == {"working", "ended lately", "open lately"}
    assert Line.objects.count() == 3
    assert Client.objects.count() == 1
    settings.KONTOR_BATCH_DAYS = 88
    assert purged() == {"batches of clients taken in": 4}


def purged() -> dict[str, int]:
    return {purged.what: purged.rows for purged in purge_all(timezone.now()) if purged.rows}
