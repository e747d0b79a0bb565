"""What is kept for so many days and then goes, in small batches, while everything else goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

BATCH = 500

Rows = Callable[[datetime], "models.QuerySet[Any]"]


def _delete(rows: "models.QuerySet[Any]") -> int:
    return int(rows.model._base_manager.filter(pk__in=list(rows.values_list("pk", flat=True))).delete()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`over`: the rows whose time was up at a moment. `remove` takes locked rows and returns how many it ended."""

    name: str
    days: Callable[[], int]
    over: Rows
    remove: Callable[["models.QuerySet[Any]"], int] = _delete

    def rows(self, now: datetime) -> "models.QuerySet[Any]":
        return self.over(now - timedelta(days=self.days()))


def purge(rule: Rule, now: datetime, *, deadline: float | None = None) -> tuple[int, bool]:
    """(how many rows went, whether that was all of them): it stops at the deadline, by time.monotonic."""
    gone = 0
    while True:
        keys = list(rule.rows(now).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not keys:
            return gone, True
        if deadline is not None and time.monotonic() > deadline:
            return gone, False
        with transaction.atomic():
            # Locked and looked at again: a row that is in use once more stays. On SQLite nobody else writes now.
            locked = rule.rows(now).filter(pk__in=keys).select_for_update(of=("self",))
            still = [row.pk for row in locked.only("pk")]
            gone += rule.remove(rule.rows(now).filter(pk__in=still))
        if not still:
            return gone, True
