"""The books of a company that is read from the file and one by one, night after night: nothing moves by that."""

from dataclasses import replace
from datetime import date
from typing import Any, cast

import pytest

from apps.connectors.sdk.queries import Window
from apps.connectors.sdk.sandbox import Edit
from apps.core.scope import system_scope
from apps.ledger.intake import Intake
from apps.ledger.models import Voucher, VoucherVersion
from apps.records.enums import Resource
from tests.connectors.bench import Bench
from tests.connectors.providers.fortnox.books import voucher
from tests.factories import FiscalYearFactory, SourceFactory

YEAR = Window(date(2026, 1, 1), date(2026, 12, 31))
DAY = Window(date(2026, 5, 5), date(2026, 5, 5))


@pytest.mark.django_db
@pytest.mark.parametrize("first", [YEAR, DAY], ids=["file first", "one by one first"])
def test_nothing_moves_and_the_exact_text_stays(bench: Bench, first: Window) -> None:
    odd = replace(voucher("odd", date(2026, 5, 5), ("5010", "9"), ("1930", "-9")), text="Kaffe – 5 €")
    odd = replace(odd, postings=tuple(replace(line, text=f"Rad {line.row} – à 5 €") for line in odd.postings))
    bench.sandbox.edit("main", Edit(action="post", external_id="odd", voucher=odd))

    def read(window: Window) -> list[Any]:
        pages = bench.read(Resource.VOUCHERS, window)
        return [item for page in pages for item in page.records if cast("Any", item).date <= date(2026, 6, 1)]

    with system_scope("tests"):
        source = SourceFactory()
        FiscalYearFactory(client=source.client)
        intake = Intake(client=source.client, source=source, last_reading=date(2026, 11, 1), first_load=False)
        intake.take(read(first))
        for window in (DAY, YEAR, DAY, YEAR):
            tally = intake.take(read(window))
            assert (tally.changed, tally.moved, tally.deleted) == (0, 0, 0)
        assert (tally.meta, tally.new) == (0, 0)
        held = Voucher.objects.get(date=date(2026, 5, 5))
        lines = list(held.postings.order_by("row").values_list("text", flat=True))
        assert [held.text, *lines] == ["Kaffe – 5 €", "Rad 1 – à 5 €", "Rad 2 – à 5 €"]
        assert set(VoucherVersion.objects.values_list("move", flat=True)) <= {"backdated"}
