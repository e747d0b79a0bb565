"""Makes a company's books: two fiscal years of vouchers up to today, the same for the same spec and day."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import Counts, VoucherKind
from apps.records.ledger import Dimension, FiscalYear
from apps.sandbox.books.chart import accounts
from apps.sandbox.books.industries import INDUSTRIES, Industry
from apps.sandbox.books.journal import Entry, Journal, Line, money, percent
from apps.sandbox.books.periodic import Payroll, Routine, loan_account
from apps.sandbox.books.spec import BooksSpec, add_months, fiscal_years, months, year_end_done
from apps.sandbox.books.trade import Trade

COMPANY_TAX = 22  # percent of the result, since 2019


def make_books(spec: BooksSpec, today: date) -> Books:
    """The books of `spec` as they stand on `today`. Raises KeyError for an unknown industry."""
    industry, years = INDUSTRIES[spec.industry], fiscal_years(today, spec.year_start)
    rng, journal = Random(f"{spec.seed}/{spec.company}"), Journal(years, today)  # noqa: S311  made-up figures
    payroll = Payroll(spec, industry, journal)
    openings = _openings(spec, industry, payroll, rng)
    closed = year_end_done(spec, years, today)
    _settle_openings(journal, openings)
    tax = _write(spec, industry, journal, payroll, rng)
    if closed:
        _close(journal, tax, rng)
    _draft(journal)
    return Books(
        company=spec.company,
        name=spec.name,
        organisation_number=spec.organisation_number,
        country=spec.country,
        currency=spec.currency,
        fiscal_years=(_said(years[0], closed=closed), _said(years[1], closed=False)),
        accounts=accounts(),
        dimensions=_dimensions(industry),
        openings={number: money(cents) for number, cents in sorted(openings.items()) if cents},
        vouchers=journal.vouchers(),
        locked_until=years[0].end if closed and spec.lock else None,
    )


def _write(spec: BooksSpec, industry: Industry, journal: Journal, payroll: Payroll, rng: Random) -> int:
    """Every month up to today, and the few vouchers already booked ahead; the previous year's tax in øre."""
    trade, routine = Trade(spec, industry, journal, rng), Routine(spec, industry, journal, rng)
    recent = add_months(journal.today, -5)
    tax = None
    for first in months(journal.years[0].start, journal.today):
        if first == journal.years[1].start:
            tax = _tax(journal, industry)
            _prepaid_tax(journal, first, tax)
        if spec.vouchers >= 150 or first > recent or first.month % 3 == 0:
            trade.month(first)
            payroll.month(first)
        routine.month(first)
    for days in (190, 35):
        trade.reversed_purchase(journal.today - timedelta(days=days))
    trade.future(20)
    return tax or 0


def _openings(spec: BooksSpec, industry: Industry, payroll: Payroll, rng: Random) -> dict[str, int]:
    """Opening balances in øre at the start of the first year: they sum to zero over 2050, other equity."""

    def about(kroner: int) -> int:
        return kroner * spec.size * rng.randint(85, 115) // 100 + rng.randint(0, 99)

    turnover = sum(flow.amount for flow in industry.sales)
    opening = {
        industry.asset[0]: about(industry.asset[2] * 6 + industry.loan * 5 // 4),
        "1460": about(sum(flow.amount for flow in industry.goods) // 12),
        "1920": about(turnover // 4),
        "2000": -3_000_000 if industry.taxed else -600_000,
        "2400": -about(turnover // 25),
        loan_account(industry): -industry.loan * spec.size,
        "2600": -payroll.withheld,
        "2770": -payroll.employer,
        "2940": -payroll.owed,
        "2780": -percent(payroll.owed, industry.employer_tax, of=10_000),
    }
    if industry.invoiced:
        opening["1500"] = about(turnover // 14)
    if industry.taxed:
        opening["2500"] = -about(turnover // 60)
    if industry.vat:
        opening["2740"] = -about(turnover // 45)
    opening["2050"] = -sum(opening.values())
    return opening


def _settle_openings(journal: Journal, opening: Mapping[str, int]) -> None:
    """What was owed at the start is paid in the first months."""
    start = journal.years[0].start
    for account, days, text in (
        ("1500", 12, "Innbetalinger fra kunder, tidligere år"),
        ("2400", 16, "Remittering, leverandørgjeld fra tidligere år"),
        ("2740", 40, "Skatteetaten, mva-oppgjør tidligere år"),
    ):
        if cents := opening.get(account):
            day = start + timedelta(days=days)
            lines = [Line(account=account, cents=-cents), Line(account="1920", cents=cents)]
            journal.book(Entry(day=day, booked=day, text=text, lines=lines))
    if owed := opening.get("2500"):
        _prepaid_tax(journal, start, -owed)


def _prepaid_tax(journal: Journal, start: date, tax: int) -> None:
    """The year before's tax in two halves, in the second and the fourth month of the year."""
    halves = (tax // 2, tax - tax // 2)
    for half, after in zip(halves, (1, 3), strict=True):
        day = add_months(start, after).replace(day=15)
        if half:
            lines = [Line(account="2500", cents=half), Line(account="1920", cents=-half)]
            journal.book(Entry(day=day, booked=day, text="Skatteetaten, forskuddsskatt", lines=lines))


def _tax(journal: Journal, industry: Industry) -> int:
    result = _result(journal)
    return percent(result, COMPANY_TAX) // 100 * 100 if industry.taxed and result > 0 else 0


def _result(journal: Journal) -> int:
    """The first year's result in øre, profit positive."""
    sums = journal.sums(journal.years[0].start, journal.years[0].end)
    return -sum(cents for account, cents in sums.items() if account >= "3000")


def _close(journal: Journal, tax: int, rng: Random) -> None:
    """Tax and result of the previous year, on its last day, booked when the annual accounts were made."""
    end = journal.years[0].end
    booked = journal.years[1].start + timedelta(days=rng.randint(80, 115))
    if tax:
        lines = [Line(account="8300", cents=tax), Line(account="2500", cents=-tax)]
        journal.book(Entry(day=end, booked=booked, text=f"Betalbar skatt {end.year}", lines=lines))
    result = _result(journal)
    lines = [Line(account="8960", cents=result), Line(account="2050", cents=-result)]
    text = f"Overføring av årsresultat {end.year}"
    journal.book(Entry(day=end, booked=booked, text=text, lines=lines, kind=VoucherKind.RESULT_TRANSFER))


def _draft(journal: Journal) -> None:
    """One voucher entered and not booked yet: no number, not in the balances."""
    day = max(journal.today - timedelta(days=3), journal.years[1].start)
    cents = 124_950
    lines = [
        Line(account="6860", cents=cents, dimensions={"department": "1"}),
        Line(account="2400", cents=-cents, party="Kursforum AS"),
    ]
    text = "Kursforum AS: kurs, til attestasjon"
    journal.book(Entry(day=day, booked=day, text=text, lines=lines, counts=Counts.PROVISIONAL))


def _dimensions(industry: Industry) -> tuple[Dimension, ...]:
    found = [
        Dimension(external_id=f"d{n}", kind="department", code=str(n), name=name)
        for n, name in enumerate(industry.departments, 1)
    ]
    found += [
        Dimension(external_id=f"p{n}", kind="project", code=str(100 + n), name=name)
        for n, name in enumerate(industry.projects, 1)
    ]
    return tuple(found)


def _said(year: FiscalYear, *, closed: bool) -> FiscalYear:
    return FiscalYear(
        external_id=year.external_id, start=year.start, end=year.end, closed=closed, currency=year.currency
    )
