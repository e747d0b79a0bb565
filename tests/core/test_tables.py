"""CSV that leaves Kontor: no text becomes a formula, no number becomes a text."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from apps.core.scope import system_scope
from apps.core.tables import cell_text
from apps.formats.tables import safe_cell
from apps.ledger.models import Account
from tests.office.bureau import make_bureau, signed_in


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+47 22 00 00 00", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", '=HYPERLINK("http://a")',
        "=cmd|' /C calc'!A0", "＝1", "＋1", "－1", "＠a", "|calc", "\tBank", "-",
    ],
)  # fmt: skip
def test_a_text_that_could_be_a_formula_is_marked(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Bank", "Bank"), ("1920", "1920"), ("A = B", "A = B"), ("", ""), (None, ""), (-5, "-5"),
        (Decimal("-1240.00"), "-1240.00"), (Decimal("1E+3"), "1000"), ("'quoted", "'quoted"),
    ],
)  # fmt: skip
def test_other_values_stay_as_they_are(value: Any, written: str) -> None:
    assert cell_text(value) == written


@pytest.mark.parametrize("text", ["'=1", "=1", "|calc", " -1", "\tBank", "Bank", "'quoted"])
def test_a_text_leaves_as_it_does_in_the_files_that_are_taken_in_again(text: str) -> None:
    assert cell_text(text) == safe_cell(text)


@pytest.mark.django_db
def test_the_trial_balance_comes_as_csv_with_a_hostile_name_as_text() -> None:
    bureau = make_bureau("nordvik", "987463104")
    hostile = '=HYPERLINK("http://evil.se","Bank")\n'
    with system_scope("tests"):
        Account.objects.filter(client=bureau.client, number="1920").update(name=hostile)
    browser: Browser = signed_in(bureau.member("read_only"))

    answer = browser.get(f"/admin/clients/client/{bureau.client.pk}/balances/", {"as": "csv"})

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="77-2026')
    assert rows[0] == ["Account", "Name", "Opening", "Debit", "Credit", "Closing"]
    assert rows[1] == ["1920", f"'{hostile}", "0.00", "1240.00", "0.00", "1240.00"]
    assert rows[2] == ["3000", "Sales", "0.00", "0.00", "1240.00", "-1240.00"]
