"""Balances are the sums of posted postings by cell. Only touched cells are computed again; all of them on demand.

Both ways give the same figures to the last cent, since both run the same statement over different cells.
"""

from collections.abc import Callable

from django.db import connection, transaction
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
_TOUCHED = """(fiscal_year_id, period, account_id, dimension_set_id) IN (
  SELECT fiscal_year_id, period, account_id, dimension_set_id FROM ledger_touchedcell
  WHERE client_id = %s AND id <= %s)"""

Progress = Callable[[int, int], None]


def touched(client: Client) -> int:
    return TouchedCell.objects.filter(client=client).count()


def recalculate_touched(client: Client, *, progress: Progress = lambda _done, _all: None) -> int:
    """Compute the touched cells again, in chunks of one transaction each; returns how many there were."""
    expected = touched(client)
    done = 0
    while True:
        count = _chunk(client)
        if not count:
            break
        done += count
        progress(done, max(done, expected))
    _stamp(client)
    return done


@transaction.atomic
def _chunk(client: Client) -> int:
    _hold(client)
    ids = list(TouchedCell.objects.filter(client=client).order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if not ids:
        return 0
    last = ids[-1]
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM ledger_balance WHERE client_id = %s AND {_TOUCHED}",  # noqa: S608 - our own text
            [client.pk, client.pk, last],
        )
        cursor.execute(_SUM.format(cells=_TOUCHED), [client.pk, client.pk, last])
    TouchedCell.objects.filter(pk__in=ids).delete()  # not `<= last`: another transaction may have added one since
    return len(ids)


def recalculate_all(client: Client, *, progress: Progress = lambda _done, _all: None) -> int:
    """Compute every balance of the client again, a fiscal year per transaction; returns how many cells there are."""
    years = list(FiscalYear.objects.filter(client=client).order_by("start"))
    for done, year in enumerate(years, start=1):
        with transaction.atomic():
            _hold(client)
            Balance.objects.filter(client=client, fiscal_year=year).delete()
            with connection.cursor() as cursor:
                cursor.execute(_SUM.format(cells="fiscal_year_id = %s"), [client.pk, year.pk])
            TouchedCell.objects.filter(client=client, fiscal_year=year).delete()
        progress(done, len(years))
    _stamp(client)
    return Balance.objects.filter(client=client).count()


def _hold(client: Client) -> None:
    """One recalculation of a client at a time: two would insert the same cell."""
    LedgerState.objects.get_or_create(client=client)
    LedgerState.objects.select_for_update().get(client=client)


def _stamp(client: Client) -> None:
    LedgerState.objects.update_or_create(client=client, defaults={"recalculated_at": timezone.now()})
