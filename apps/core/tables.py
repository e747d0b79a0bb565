"""A page's table as a CSV download. What is done to its texts is the rule of `apps.formats.tables`."""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.http import HttpResponse
from django.utils.text import slugify

from apps.formats.tables import safe_cell

Cell = str | int | Decimal | None


def cell_text(value: Cell) -> str:
    """Texts come from vendors and clients: one that could be a formula is marked as text. Numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return safe_cell(value) if isinstance(value, str) else str(value)


def csv_answer(name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponse:
    """A download. UTF-8 with a mark, without which spreadsheets guess at letters."""
    answer = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{slugify(name) or "table"}.csv"'
    writer = csv.writer(answer)
    writer.writerow([cell_text(head) for head in heads])
    writer.writerows([cell_text(value) for value in row] for row in rows)
    return answer
