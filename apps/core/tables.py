"""Tables as CSV. The one place where a table leaves Kontor as a file that a spreadsheet opens."""

import csv
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.http import HttpResponse
from django.utils.text import slugify

Cell = str | int | Decimal | None
# What spreadsheets take for the beginning of a formula, also after blanks and in their wide forms.
FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|]|[\t\r\n]")


def safe_cell(value: Cell) -> str:
    """Texts come from vendors and clients: one that could be a formula is marked as text. Numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    text = str(value)
    return f"'{text}" if isinstance(value, str) and FORMULA.match(text) else text


def csv_answer(name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponse:
    """A download. UTF-8 with a mark, without which spreadsheets guess at letters."""
    answer = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{slugify(name) or "table"}.csv"'
    writer = csv.writer(answer)
    writer.writerow([safe_cell(head) for head in heads])
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return answer
