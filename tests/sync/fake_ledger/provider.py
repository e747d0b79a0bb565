"""A ledger of nobody's: changes since, a list of deletions with a short memory, totals as of a day, no look-up by id."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from apps.connectors.sdk.declaration import ApiKey, Deletes, Endpoint, Field, HostRule, Provider
from apps.connectors.sdk.queries import Digests, Full, Gone, Page, Query, Since, Window
from apps.connectors.sdk.session import Session
from apps.records.enums import AccountType, Basis, LockKind, Resource
from apps.records.ledger import (
    Account,
    ControlBalance,
    Dimension,
    FiscalYear,
    Identity,
    Lock,
    Posting,
    Record,
    Voucher,
)


def asked(session: Session, what: str) -> Any:
    return session.read(f"/{what}").data


def verify(session: Session) -> Identity:
    return Identity(company_id="1", name="Fjord AS", organisation_number=asked(session, "company")["number"])


def read_years(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    years = tuple(FiscalYear(start=date(year, 1, 1), end=date(year, 12, 31)) for year in (2025, 2026))
    yield Page(records=years, last=True)


def read_accounts(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    bank = Account(number="1920", name="Bank", type=AccountType.ASSET, fiscal_year_start=date(2026, 1, 1))
    sales = replace(bank, number="3000", name="Sales", type=AccountType.INCOME)
    other = replace(sales, number="2990", name="New name")
    old = replace(other, name="Old name", type=AccountType.LIABILITY, fiscal_year_start=date(2025, 1, 1))
    yield Page(records=(bank, sales, other, old), last=True)


def read_locks(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    locks = (Lock(kind=LockKind.BOOKS, until=date.fromisoformat(day)) for day in asked(session, "locks"))
    yield Page(records=tuple(locks), last=True)


def read_dimensions(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    items = (Dimension(kind="project", code=code, name=code) for code in asked(session, "projects"))
    yield Page(records=tuple(items), last=True)


def _voucher(row: dict[str, str]) -> Voucher:
    day, amount = date.fromisoformat(row["date"]), Decimal(row["amount"])
    lines = (
        Posting(row=1, date=day, account="1920", amount=amount),
        Posting(row=2, date=day, account="3000", amount=-amount),
    )
    return Voucher(external_id=row["id"], number=row["id"], date=day, postings=lines)


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    asked_for = {"since": query.cursor} if isinstance(query, Since) else {}
    told = session.read("/vouchers", asked_for).data
    rows: list[Record] = []
    for row in told["rows"]:
        inside = isinstance(query, Full) or (
            isinstance(query, Window) and query.start.isoformat() <= row["date"] <= query.end.isoformat()
        )
        if inside or (isinstance(query, Since) and row["changed"] >= query.cursor):
            rows.append(_voucher(row))
    gone = told["gone"]
    if told["apart"] and isinstance(query, Since):  # deletions are a question of their own
        yield Page(records=tuple(rows), watermark=told["clock"])
        rows, gone = [], asked(session, "deletions")
    gone = tuple(Gone(external_id=key, resource=Resource.VOUCHERS) for key in gone)
    yield Page(records=tuple(rows), gone=gone if isinstance(query, Since) else (), watermark=told["clock"], last=True)


def read_controls(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    assert isinstance(query, Window)
    sums: dict[str, Decimal] = {}
    for row in asked(session, "totals"):
        voucher = _voucher(row)
        for posting in voucher.postings:
            carried = posting.account == "1920" or posting.date.year == query.end.year
            if posting.date <= query.end and carried:
                sums[posting.account] = sums.get(posting.account, Decimal(0)) + posting.amount
    found = (
        ControlBalance(account=account, basis=Basis.AS_OF, from_=None, to=query.end, closing=amount)
        for account, amount in sums.items()
    )
    yield Page(records=tuple(found), last=True)


PROVIDER = Provider(
    slug="fake_ledger",
    label="Fake ledger",
    countries=("NO",),
    auth=(ApiKey(fields=(Field(name="key", label="Key", required=False),), sign=lambda _session, _out: None),),
    guide=(),
    base_url=lambda _values: "https://fake-ledger.example",
    hosts=(HostRule(pattern=r"fake-ledger\.example", sends_credentials=True),),
    secret_paths=(),
    verify=verify,
    resources={
        Resource.FISCAL_YEARS: Endpoint(read=read_years),
        Resource.ACCOUNTS: Endpoint(read=read_accounts),
        Resource.LOCKS: Endpoint(read=read_locks),
        Resource.DIMENSIONS: Endpoint(read=read_dimensions),
        Resource.VOUCHERS: Endpoint(
            read=read_vouchers, deletes=Deletes.BY_LIST, overlap=timedelta(minutes=10), memory=timedelta(days=7)
        ),
        Resource.CONTROL_BALANCES: Endpoint(read=read_controls),
    },
    refusals=(),
)
