"""The same answers written in the other ways that the vendor writes: what is read of them stays the same."""

import random
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any

import pytest
from lxml import etree

from apps.connectors.sdk.queries import Full, Query, Since, Window
from apps.connectors.sdk.sandbox import Answer, Edit, Request
from apps.records.enums import Resource
from tests.connectors.bench import Bench, bench_of
from tests.connectors.providers.netvisor.harness import HARNESS

NUMBERS = re.compile(r"-?\d+,\d+")
DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
DAYS = ("voucherdate", "begindate", "enddate", "accountingperiodlockdate", "vatperiodlockdate", "purchaselockdate")
FLAGS = {
    "1": ("1", "true", "True", "Yes", "Kyllä"), "True": ("1", "True", "yes"),
    "0": ("0", "False", "No", "Ei"), "False": ("0", "False", "no"),
}  # fmt: skip
FLAGGED = ("isactive", "ishidden", "issalesproduct")
ASKED: tuple[tuple[Resource, Query], ...] = (
    (Resource.VOUCHERS, Window(date(2025, 11, 1), date(2026, 4, 30))),
    (Resource.VOUCHERS, Since("2026-11-19T00:00:00+02:00")),
    (Resource.FISCAL_YEARS, Full()),
    (Resource.LOCKS, Full()),
    (Resource.ACCOUNTS, Full()),
    (Resource.DIMENSIONS, Full()),
    (Resource.CONTROL_BALANCES, Window(date(2026, 1, 1), date(2026, 3, 31))),
    (Resource.OPENING_BALANCES, Full()),
    (Resource.CUSTOMERS, Full()),
    (Resource.SUPPLIERS, Full()),
    (Resource.PRODUCTS, Full()),
)


def otherwise(body: bytes, dice: random.Random) -> bytes:
    """The document with its names, numbers, days, flags and encoding written in another way."""
    root = etree.fromstring(body)
    for element in root.iter():
        name, text = str(element.tag).lower(), (element.text or "").strip()
        element.tag = any_case(str(element.tag), dice)
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            element.attrib[any_case(str(key), dice)] = in_a_day(str(value), dice) if key == "date" else str(value)
        if len(element) or not text:
            continue
        if name in DAYS:
            text = in_a_day(text, dice)
        elif name in FLAGGED:
            text = dice.choice(FLAGS[text])
        elif NUMBERS.fullmatch(text):
            text = in_figures(text, dice)
        text = dice.choice(("", " ", "\n    ")) + text + dice.choice(("", " ", "\n"))
        element.text = etree.CDATA(text) if dice.random() < 0.2 else text
        if dice.random() < 0.1:
            element.addprevious(etree.Comment("so <it> goes"))
    written = etree.tostring(root, encoding="unicode")
    encoding = dice.choice(("utf-8", "utf-8-sig", "iso-8859-15", "windows-1252"))
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\r\n'
    if encoding != "windows-1252" and dice.random() < 0.4:
        head = ""
    return (head + written).encode(encoding, "xmlcharrefreplace")


def any_case(name: str, dice: random.Random) -> str:
    return dice.choice((name, name.lower(), name.upper(), name.capitalize(), name[:1].lower() + name[1:]))


def in_a_day(text: str, dice: random.Random) -> str:
    if match := ISO.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    else:
        match = DAY.fullmatch(text)
        assert match is not None
        day, month, year = (int(part) for part in match.groups())
    forms = (
        "{2}.{1}.{0}",
        "{2:02}.{1:02}.{0}",
        "{0}-{1:02}-{2:02}",
        "{0}-{1}-{2}",
        "{0}-{1:02}-{2:02}T00:00:00",
        "{2}.{1}.{0} 0:00:00",
    )
    return dice.choice(forms).format(year, month, day)


def in_figures(text: str, dice: random.Random) -> str:
    whole, _, rest = text.partition(",")
    wide = f"{int(whole):,}".replace(",", "\u00a0") if len(whole.lstrip("-")) > 3 else whole
    return dice.choice((text, text + "00", f"{whole}.{rest}", f"{wide},{rest}"))


def without_raw(value: Any) -> Any:
    """A record as it is compared: the raw document is another one."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {field.name: without_raw(getattr(value, field.name)) for field in fields(value)}
        return {name: content for name, content in kept.items() if name not in ("raw", "read_at")}
    if isinstance(value, tuple):
        return tuple(without_raw(part) for part in value)
    return value


def read_all(bench: Bench) -> list[Any]:
    found = []
    for resource, query in ASKED:
        pages = list(bench.read(resource, query))
        found.append((resource, query, [without_raw((page.records, page.gone, page.last)) for page in pages]))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_every_way_of_writing_reads_the_same(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same dice every time
    with bench_of(HARNESS) as bench:
        bench.sandbox.edit("main", Edit(action="delete", external_id="bill"))
        plain = read_all(bench)
        handle: Callable[[Request], Answer] = bench.sandbox.handle

        def say(request: Request, _n: int) -> Answer:
            given = handle(request)
            headers = {"Content-Type": dice.choice(("text/xml", "application/xml; charset=utf-8"))}
            return replace(given, body=otherwise(given.body, dice), headers=headers)

        bench.mouth.speak("/", say)

        for one, other in zip(plain, read_all(bench), strict=True):
            assert one == other
