"""One read: its parameters, and the list envelope with paging, sorting and digest."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.connectors.providers.tripletex.sandbox import answers
from apps.connectors.providers.tripletex.sandbox.auth import Caller
from apps.connectors.providers.tripletex.sandbox.company import Company, Obj
from apps.connectors.providers.tripletex.sandbox.fields import compile_fields, render, sort_rows
from apps.connectors.sdk.sandbox import Answer

NO_HEADER = "'If-None-Match' header not specified"
NO_CHECKSUM = "Checksum not yet supported for this endpoint"
WITHOUT_CHECKSUM = ("VatType", "SalesModule")  # recorded: null, and a fullResultSize of 0
DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(slots=True)
class Query:
    """A request as the endpoints see it. The last of several values of one name counts; unknown names are ignored."""

    path: str  # after /v2
    values: Mapping[str, str]
    if_none_match: str
    company: Company
    caller: Caller
    limit: int  # hits, not rows of an answer
    hidden: bool = False  # the caller sees no rows here

    def text(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def number(self, name: str) -> int | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise answers.bad_param() from None

    def flag(self, name: str) -> bool | None:
        text = self.text(name).lower()
        if text not in ("", "true", "false"):
            raise answers.bad_param()
        return None if not text else text == "true"

    def numbers(self, name: str) -> set[int] | None:
        """A list parameter: `1,2,3`."""
        text = self.text(name)
        if not text:
            return None
        try:
            return {int(part) for part in text.split(",") if part.strip()}
        except ValueError:
            fields = [answers.field_message(name, answers.WRONG_TYPE)]
            raise answers.Refused(422, 12000, "Illegal list parameter", fields=fields) from None

    def day(self, name: str, default: str = "") -> str:
        """A day as it was written: 2026-02-29 was seen to be taken, so days are compared as text."""
        text = self.text(name)
        if text and not DAY.fullmatch(text):
            fields = [answers.field_message(name, answers.WRONG_TYPE)]
            raise answers.Refused(422, 15000, "Validation failed", fields=fields)
        return text or default

    def range(self) -> tuple[str, str]:
        """The days dateFrom and dateTo, where both must be told."""
        lacking = [name for name in ("dateTo", "dateFrom") if not self.text(name)]
        if lacking:
            raise answers.missing(*lacking)
        return self.day("dateFrom"), self.day("dateTo")

    def one(self, model: str, row: Obj | None) -> Answer:
        if row is None:
            raise answers.not_found()
        return answers.single(render(row, compile_fields(model, self.text("fields")), self.company.find))

    def by_id(self, model: str, id: str) -> Answer:
        plan = compile_fields(model, self.text("fields"))
        row = None if self.hidden else self.company.find(model, int(id))
        if row is None:
            raise answers.not_found()
        return answers.single(render(row, plan, self.company.find))

    def many(
        self,
        model: str,
        rows: Sequence[Obj],
        *,
        count: int = 1000,
        extra: Mapping[str, Any] | None = None,
        fields: bool = True,
    ) -> Answer:
        """The list envelope. `count`: the default page; `extra`: further members of the envelope."""
        plan = compile_fields(model, self.text("fields") if fields else "*")
        rows = sort_rows([] if self.hidden else rows, model, self.text("sorting"), self.company.find)
        if len(rows) > self.limit:
            shown = f"{self.limit:,}".replace(",", ".")
            raise answers.Refused(422, 23000, f"Result set too large. Limit of {shown} reached.", fields=[])
        first, wanted = self.number("from") or 0, self.number("count")
        if first < 0 or (wanted or 0) < 0:
            raise answers.bad_param()
        page = rows[first : first + (count if wanted is None else wanted)]
        values = [render(row, plan, self.company.find) for row in page]
        return self.envelope(model, values, first, len(rows), extra or {})

    def envelope(self, model: str, values: list[Any], first: int, total: int, extra: Mapping[str, Any]) -> Answer:
        """`fullResultSize` is not to be trusted at the vendor's either: it says little more than that there is more."""
        seen = first + len(values)
        unsupported = model in WITHOUT_CHECKSUM
        body: dict[str, Any] = {
            "fullResultSize": 0 if unsupported else total if seen >= total else seen + 1,
            "from": first,
            "count": len(values),
            "versionDigest": None if unsupported else NO_HEADER,
            "values": values,
            **extra,
        }
        if not self.if_none_match:
            return answers.answer(body)
        if unsupported:
            return answers.answer(body | {"versionDigest": NO_CHECKSUM})
        digest = hashlib.md5(answers.dump([values, total, dict(extra)]), usedforsecurity=False).hexdigest()
        if self.if_none_match.removeprefix("W/").strip('"') == digest:
            return Answer(status=304)
        return answers.answer(body | {"versionDigest": digest})
