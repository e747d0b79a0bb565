"""The chart of accounts, dimensions and balances. Vouchers and registers have files of their own."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal

from apps.connectors.providers.netvisor import chart, shapes
from apps.connectors.providers.netvisor.calls import ACCOUNTS, ask, bad_page, clock, items, shaped
from apps.connectors.providers.netvisor.periods import DAY, fiscal_years, spans, window_of
from apps.connectors.sdk.queries import Digests, Page, Query, Window
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.text import _
from apps.connectors.sdk.xml import attribute, text
from apps.records.enums import AccountType, Basis
from apps.records.ledger import ControlBalance, Dimension, OpeningBalance

BALANCES, DIMENSIONS = "accountbalance.nv", "dimensionlist.nv"
ZERO = Decimal(0)
Told = dict[date, tuple[Decimal | None, Decimal | None, Decimal]]  # debit, credit, balance by day


def read_accounts(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    found = _chart(session)
    warnings = (_("Accounts without a number are left out."),) if found.unnumbered else ()
    yield Page(records=found.accounts, vendor_count=len(found.accounts), last=True, warnings=warnings)


def read_dimensions(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Every item of every dimension, hidden ones too."""
    rows = items(ask(session, DIMENSIONS, {"showhidden": 1}), "DimensionName")
    found: list[Dimension] = [item for group in shaped(shapes.dimension_items, rows) for item in group]
    yield Page(records=tuple(found), vendor_count=len(found), last=True)


def read_control_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """Each account's balance the day before and on the last day, per fiscal year that the window touches."""
    window = window_of(session, query)
    if window is None or window.end < window.start:
        yield Page(last=True)
        return
    parts = spans(session, window)
    told, at = _balances(session, [day for start, end, _new in parts for day in (start - DAY, end)])
    known = _chart(session)
    for start, end, new_year in parts:
        records = []
        for key, days in told.items():
            if key not in known.group_keys:
                records.append(_control(known, key, days, (start, end, new_year), at))
        yield Page(records=tuple(item for item in records if item is not None), vendor_count=len(records))
    yield Page(last=True)


def read_opening_balances(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:  # noqa: ARG001
    """What balance-sheet accounts start with: their balance the day before each fiscal year that begins in the window."""
    window = window_of(session, query) or Window(date.max, date.min)
    starts = [year.start for year in fiscal_years(session) if window.start <= year.start <= window.end]
    told = _balances(session, [start - DAY for start in starts])[0] if starts else {}
    known = _chart(session)
    found = [
        OpeningBalance(
            external_id=f"{account.number}@{start}", account=account.number, fiscal_year_start=start, amount=days[start - DAY][2]
        )
        for start in starts
        for key, days in told.items()
        if (account := known.by_key.get(key)) is not None
        and not _is_result(known, key)
        and start - DAY in days
        and days[start - DAY][2]
    ]  # fmt: skip
    yield Page(records=tuple(found), last=True)


def _chart(session: Session) -> chart.Chart:
    if "chart" not in session.memory:
        rows = items(ask(session, ACCOUNTS), "Account")
        try:
            session.memory["chart"] = chart.chart(rows)
        except ValueError as error:
            raise bad_page(repr(error)) from error
    found: chart.Chart = session.memory["chart"]
    return found


def _is_result(known: chart.Chart, key: str) -> bool:
    """Whether the account begins each fiscal year at nothing: by its type, else by the vendor's flag."""
    account = known.by_key.get(key)
    if account is None:
        return False
    if account.type is AccountType.UNKNOWN:
        return account.custom.get("is_cumulative") is False
    return account.type in chart.RESULT


def _balances(session: Session, days: Iterable[date]) -> tuple[dict[str, Told], datetime]:
    """Balances of every account, by its key and day; and the vendor's clock. One request, however many days."""
    asked = ",".join(str(day) for day in sorted(set(days)))
    root = ask(session, BALANCES, {"balancedates": asked})
    found: dict[str, Told] = {}
    for row in items(root, "Account"):
        key = attribute(row, "netvisorkey") or text(row, "NetvisorKey")
        if not key:
            raise bad_page("a balance without its account")
        found.setdefault(key, {}).update(shaped(shapes.balances, [row])[0])
    return found, clock(root)


def _control(
    known: chart.Chart, key: str, told: Told, span: tuple[date, date, bool], at: datetime
) -> ControlBalance | None:
    """The interval's opening and closing; only the closing where the vendor left the day before, or the last, out.

    What Debet and Kredit cover is unconfirmed: they stand in `custom` beside an interval.
    """
    start, end, new_year = span
    last = max((day for day in told if start <= day <= end), default=None)
    if last is None:
        return None
    account = known.by_key.get(key)
    number = account.number if account else f"netvisorkey {key}"  # a hidden one still counts, and is told
    debit, credit, closing = told[last]
    before = told.get(start - DAY)
    opening = ZERO if new_year and _is_result(known, key) else before[2] if before else None
    if opening is None or last != end:
        return ControlBalance(
            external_id=key, account=number, basis=Basis.AS_OF, from_=None, to=last,
            debit=debit, credit=credit, closing=closing, read_at=at,
        )  # fmt: skip
    return ControlBalance(
        external_id=key, account=number, basis=Basis.INTERVAL, from_=start, to=end, opening=opening,
        movement=closing - opening, closing=closing, read_at=at,
        custom=shapes.filled(debet=_plain(debit), kredit=_plain(credit)),
    )  # fmt: skip


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount.normalize(), "f")
