"""Touched cells recalculated as they come give the same figures as everything recalculated at once."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.scope import system_scope
from apps.ledger.balances import recalculate_all, recalculate_touched, touched
from apps.ledger.intake import Intake
from apps.ledger.models import Balance, Source
from apps.records.enums import Counts
from apps.records.ledger import Posting
from apps.records.ledger import Voucher as Record
from tests.factories import AccountFactory, FiscalYearFactory, SourceFactory

ACCOUNTS = ("1500", "1920", "3000", "6300")


@st.composite
def vouchers(draw: st.DrawFn) -> Record:
    """One of eight vouchers, as it may stand: balanced or not, posted or a draft, on any day of two years."""
    key = str(draw(st.integers(1, 8)))
    day = date(2025, 1, 1) + timedelta(days=draw(st.integers(0, 729)))
    amounts = draw(st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=4))
    lines = [
        Posting(
            row=row,
            date=day,
            account=draw(st.sampled_from(ACCOUNTS)),
            amount=Decimal(amount).scaleb(-2),
            dimensions={"department": draw(st.sampled_from(("", "1", "2")))},
        )
        for row, amount in enumerate([*amounts, -sum(amounts)], start=1)
    ]
    if draw(st.integers(0, 9)) == 0:
        lines = lines[:-1]
    counts = draw(st.sampled_from([Counts.POSTED] * 6 + [Counts.PROVISIONAL, Counts.VOID]))
    return Record(external_id=key, date=day, postings=tuple(lines), counts=counts)


histories = st.lists(
    st.one_of(st.lists(vouchers(), min_size=1, max_size=4), st.integers(1, 8)), min_size=1, max_size=10
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_touched_and_full_recalculation_agree_to_the_last_cent(history: list[list[Record] | int]) -> None:
    with system_scope("tests"):
        source = SourceFactory()
        for year in (2025, 2026):
            FiscalYearFactory(client=source.client, start=date(year, 1, 1), end=date(year, 12, 31))
        for number in ACCOUNTS:
            AccountFactory(client=source.client, number=number)

        for event in history:
            intake = Intake(client=source.client, source=source, last_reading=date(2026, 3, 1), first_load=False)
            if isinstance(event, int):
                intake.delete([str(event)])
            else:
                intake.take(event)
            recalculate_touched(source.client)
        as_they_came = figures(source)
        recalculate_all(source.client)

        assert as_they_came == figures(source)
        assert sum(debit - credit for _, debit, credit, _, _ in as_they_came) == 0


def sale(key: str, amount: str) -> Record:
    day = date(2026, 3, 3)
    lines = [
        Posting(row=row, date=day, account=account, amount=Decimal(sign + amount))
        for row, (account, sign) in enumerate((("1920", ""), ("3000", "-")), start=1)
    ]
    return Record(external_id=key, date=day, number=key, postings=tuple(lines))


@pytest.mark.django_db
def test_a_cell_that_many_pages_touched_is_computed_once() -> None:
    with system_scope("tests"):
        source = SourceFactory()
        FiscalYearFactory(client=source.client)
        intake = Intake(client=source.client, source=source)
        for number in range(5):
            intake.take([sale(str(number), "10.00")])

        assert touched(source.client) == 2
        assert recalculate_touched(source.client) == 2
        assert touched(source.client) == 0
        assert [(debit, credit) for _, debit, credit, _, _ in figures(source)] == [(50, 0), (0, 50)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets nobody write meanwhile")
@pytest.mark.parametrize("recalculate", [recalculate_all, recalculate_touched])
@pytest.mark.parametrize("statement", ["DELETE FROM", "INSERT INTO"])
def test_what_a_page_brings_during_a_recalculation_is_not_forgotten(
    recalculate: Callable[..., int], statement: str
) -> None:
    """The page commits right after the recalculation deleted, or summed, the balances."""
    with system_scope("tests"):
        source = SourceFactory()
        FiscalYearFactory(client=source.client)
        Intake(client=source.client, source=source).take([sale("1", "10.00")])
        recalculate_all(source.client)
        Intake(client=source.client, source=source).take([sale("2", "5.00")])
        waiting = [sale("3", "2.50")]

        def page() -> None:
            with system_scope("tests"):
                Intake(client=source.client, source=source).take(waiting)
            connection.close()

        def meanwhile(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
            result = execute(sql, params, many, context)
            if waiting and statement in sql and "ledger_balance" in sql:
                thread = Thread(target=page)
                thread.start()
                thread.join(20)
                waiting.clear()
            return result

        with connection.execute_wrapper(meanwhile):
            recalculate(source.client)
        assert not waiting
        recalculate_touched(source.client)

        assert [(debit, credit) for _, debit, credit, _, _ in figures(source)] == [
            (Decimal("17.50"), 0), (0, Decimal("17.50")),
        ]  # fmt: skip


def figures(source: Source) -> list[tuple[object, ...]]:
    rows = Balance.objects.filter(client=source.client).order_by("account", "period", "dimension_set")
    return [
        ((row.account_id, row.period, row.dimension_set_id), row.debit, row.credit, row.provisional, row.postings)
        for row in rows
    ]
