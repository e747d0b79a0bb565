"""Balances are the sums of posted postings by cell. Only touched cells are computed again; all of them on demand.

Both ways give the same figures to the last cent, since both run the same statement over different cells.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.models import Balance, FiscalYear, LedgerState, TouchedCell

CHUNK = 2000  # cells of one transaction: the progress that is shown, and the longest time others wait

_SUM = """
INSERT INTO ledger_balance
  (client_id, fiscal_year_id, period, account_id, dimension_set_id, debit, credit, provisional, postings)
SELECT client_id, fiscal_year_id, period, account_id, dimension_set_id,
  SUM(CASE WHEN weight = 'posted' AND amount > 0 THEN amount ELSE 0 END),
  SUM(CASE WHEN weight = 'posted' AND amount < 0 THEN -amount ELSE 0 END),
  SUM(CASE WHEN weight = 'provisional' THEN amount ELSE 0 END),
  SUM(CASE WHEN weight = 'posted' THEN 1 ELSE 0 END)
FROM ledger_posting
WHERE client_id = %s AND fiscal_year_id IS NOT NULL AND weight IN ('posted', 'provisional') AND {cells}
GROUP BY client_id, fiscal_year_id, period, account_id, dimension_set_id
"""
_IN = "(fiscal_year_id, period, account_id, dimension_set_id) IN (VALUES {rows})"

CellKey = tuple[int, int, int, int]  # fiscal year, period, account, dimension set
Progress = Callable[[int, int], None]


def touched(client: Client) -> int:
    """How many cells wait; one that many pages touched is one."""
    return _waiting(client).count()


def recalculate_touched(client: Client, *, progress: Progress = lambda _done, _all: None) -> int:
    """Compute the touched cells again, in chunks of one transaction each; returns how many there were."""
    done = 0
    while cells := list(_waiting(client)):
        expected = done + len(cells)
        for chunk in _chunks(cells):
            _compute(client, chunk)
            done += len(chunk)
            progress(done, expected)
    _stamp(client)
    return done


def _chunks(cells: Sequence[CellKey]) -> Iterator[Sequence[CellKey]]:
    return (cells[start : start + CHUNK] for start in range(0, len(cells), CHUNK))


def _waiting(client: Client) -> "QuerySet[TouchedCell, CellKey]":
    return (
        TouchedCell.objects.filter(client=client)
        .order_by("fiscal_year", "period", "account", "dimension_set")
        .values_list("fiscal_year", "period", "account", "dimension_set")
        .distinct()
    )


@transaction.atomic
def _compute(client: Client, cells: Sequence[CellKey]) -> None:
    _hold(client)
    where = _IN.format(rows=", ".join(["(%s, %s, %s, %s)"] * len(cells)))
    values = [client.pk, *chain.from_iterable(cells)]
    with connection.cursor() as cursor:
        # What touched is forgotten first: another transaction may commit postings and their touches at any time, and
        # touches that are gone before the sum is taken have their postings in it; later ones wait for the next time.
        cursor.execute(f"DELETE FROM ledger_touchedcell WHERE client_id = %s AND {where}", values)  # noqa: S608 - our own text
        cursor.execute(f"DELETE FROM ledger_balance WHERE client_id = %s AND {where}", values)  # noqa: S608 - our own text
        cursor.execute(_SUM.format(cells=where), values)


def recalculate_all(client: Client, *, progress: Progress = lambda _done, _all: None) -> int:
    """Compute every balance of the client again, a fiscal year per transaction; returns how many cells there are."""
    years = list(FiscalYear.objects.filter(client=client).order_by("start"))
    for done, year in enumerate(years, start=1):
        with transaction.atomic():
            _hold(client)
            TouchedCell.objects.filter(client=client, fiscal_year=year).delete()  # first: see `_compute`
            Balance.objects.filter(client=client, fiscal_year=year).delete()
            with connection.cursor() as cursor:
                cursor.execute(_SUM.format(cells="fiscal_year_id = %s"), [client.pk, year.pk])
        progress(done, len(years))
    _stamp(client)
    return Balance.objects.filter(client=client).count()


def _hold(client: Client) -> None:
    """One recalculation of a client at a time: two would insert the same cell."""
    LedgerState.objects.get_or_create(client=client)
    LedgerState.objects.select_for_update().get(client=client)


def _stamp(client: Client) -> None:
    LedgerState.objects.update_or_create(client=client, defaults={"recalculated_at": timezone.now()})
