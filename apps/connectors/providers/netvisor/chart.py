"""The chart of accounts, and the list of periods with its locks. Pure.

An account's type is told by the groups above it, else by its number in the Finnish chart (NOTES.md).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from apps.connectors.providers.netvisor import forms
from apps.connectors.providers.netvisor.shapes import filled, given, needed
from apps.connectors.sdk.xml import Element, descendants, plain, text
from apps.records.enums import AccountType, LockKind
from apps.records.ledger import Account, FiscalYear, Lock

BOOKS_CURRENCY = "EUR"
GROUP, ACCOUNT = "accountgroup", "account"
LOCKS = (
    ("AccountingPeriodLockDate", LockKind.BOOKS),
    ("VatPeriodLockDate", LockKind.VAT),
    ("PurchaseLockDate", LockKind.PURCHASE),
)
# what the name of a group says in Finnish, Swedish and English; a name that says two of them says nothing
WORDS = (
    (AccountType.EQUITY, re.compile(r"oma pääoma|omaa pääomaa|eget kapital|\bequity\b", re.IGNORECASE)),
    (AccountType.LIABILITY, re.compile(r"vieras pääoma|främmande kapital|\bliabilities\b|\bskulder\b", re.IGNORECASE)),
    (AccountType.ASSET, re.compile(r"\bvastaavaa\b|\bvastaavat\b|\baktiva\b|\btillgångar\b|\bassets\b", re.IGNORECASE)),
    (AccountType.INCOME, re.compile(r"liikevaihto|tuotot\b|tuotto\b|omsättning|intäkter|revenue|\bturnover\b|\bincome\b(?! (statement|tax))", re.IGNORECASE)),
    (AccountType.EXPENSE, re.compile(r"kulut\b|kustannukset\b|poistot\b|ostot\b|kostnader|avskrivningar|\bexpenses\b|\bcosts\b|depreciation", re.IGNORECASE)),
)  # fmt: skip
CREDIT_SIDE = re.compile(r"\bvastattavaa\b|\bpassiva\b", re.IGNORECASE)
RESULT_SIDE = re.compile(r"tuloslaskelma|resultaträkning|income statement|profit and loss", re.IGNORECASE)
RESULT = (AccountType.INCOME, AccountType.EXPENSE)


@dataclass(frozen=True, slots=True)
class Chart:
    """`by_key` has no groups; `group_keys` are theirs."""

    accounts: tuple[Account, ...]
    by_key: Mapping[str, Account]
    group_keys: frozenset[str]
    unnumbered: int = 0


def chart(rows: Sequence[Element]) -> Chart:
    """The accounts of a list that holds groups too. Raises ValueError for a row without its key."""
    known = {needed(row, "NetvisorKey"): row for row in rows}
    fathers = {text(row, "FatherNetvisorKey") for row in rows}
    groups = {key: row for key, row in known.items() if _is_group(row, has_children=key in fathers)}
    own = {key: row for key, row in known.items() if key not in groups}
    found = {key: _account(row, groups) for key, row in own.items() if text(row, "Number")}
    return Chart(tuple(found.values()), found, frozenset(groups), len(own) - len(found))


def _is_group(row: Element, *, has_children: bool) -> bool:
    told = (text(row, "AccountType") or "").lower()
    return told == GROUP if told in (GROUP, ACCOUNT) else has_children or not text(row, "Number")


def _account(row: Element, groups: Mapping[str, Element]) -> Account:
    number = needed(row, "Number")
    above = _above(row, groups)
    return Account(
        external_id=needed(row, "NetvisorKey"),
        number=number,
        name=text(row, "Name") or "",
        type=type_of(number, above),
        active=forms.flag(text(row, "IsActive")) is not False,
        group=above[0] if above else None,
        custom=filled(is_cumulative=forms.flag(text(row, "IsCumulative"))),
        raw=plain(row),
    )


def _above(row: Element, groups: Mapping[str, Element]) -> list[str]:
    """The names of the groups above, the nearest first."""
    names: list[str] = []
    seen: set[str] = set()
    key = text(row, "FatherNetvisorKey") or ""
    while key in groups and key not in seen:
        seen.add(key)
        names.append(text(groups[key], "Name") or "")
        key = text(groups[key], "FatherNetvisorKey") or ""
    return names


def type_of(number: str, above: Sequence[str] = ()) -> AccountType:
    """By the nearest group whose name says one type; where only a side of the books is told, by number within it."""
    for name in above:
        said = [kind for kind, words in WORDS if words.search(name)]
        if len(said) == 1:
            return said[0]
        if CREDIT_SIDE.search(name):
            kind = by_number(number)
            return kind if kind in (AccountType.EQUITY, AccountType.LIABILITY) else AccountType.LIABILITY
        if RESULT_SIDE.search(name):
            kind = by_number(number)
            return kind if kind in RESULT else AccountType.EXPENSE
    return by_number(number)


def by_number(number: str) -> AccountType:
    """The Finnish chart: 1 assets, 20 to 24 equity and appropriations, 25 to 29 liabilities, 3 income, 4 to 9 expenses.

    90 to 93 are financial income.
    """
    if number[:1] == "1":
        return AccountType.ASSET
    if number[:1] == "2":
        return AccountType.EQUITY if number[:2] < "25" else AccountType.LIABILITY
    if number[:1] == "3" or "90" <= number[:2] <= "93":
        return AccountType.INCOME
    return AccountType.EXPENSE if number[:1] in set("456789") else AccountType.UNKNOWN


def fiscal_years(root: Element) -> list[FiscalYear]:
    """The periods, oldest first. They stand in the locks or beside them; one that lies within another is no year."""
    told, until = _lock_days(root).get(LockKind.BOOKS, (False, None))
    years = [_year(row, until, told=told) for row in descendants(root, "Period") if len(row)]
    whole = [
        year for year in years if not any(o is not year and _within(year, o) for o in years)
    ]  # fmt: skip
    return sorted(whole, key=lambda year: year.start)


def _within(year: FiscalYear, other: FiscalYear) -> bool:
    return other.start <= year.start and year.end <= other.end and (year.start, year.end) != (other.start, other.end)


def _year(row: Element, until: date | None, *, told: bool) -> FiscalYear:
    start, end = forms.day(needed(row, "BeginDate")), forms.day(needed(row, "EndDate"))
    if start is None or end is None:
        raise ValueError("a period without its days")
    return FiscalYear(
        external_id=given(row, "NetvisorKey") or start.isoformat(),
        start=start,
        end=end,
        closed=(until is not None and until >= end) if told else None,
        currency=BOOKS_CURRENCY,
        custom=filled(name=text(row, "Name")),
        raw=plain(row),
    )


def locks(root: Element) -> list[Lock]:
    """The locks that are set; the day given is taken for the last locked one."""
    days = {kind: until for kind, (_told, until) in _lock_days(root).items()}
    return [Lock(external_id=kind.value, kind=kind, until=until) for kind, until in days.items() if until is not None]


def _lock_days(root: Element) -> dict[LockKind, tuple[bool, date | None]]:
    """Whether each lock's element was there, and its day."""
    found = {}
    for name, kind in LOCKS:
        element = next(descendants(root, name), None)
        found[kind] = (element is not None, forms.day(text(element)))
    return found
