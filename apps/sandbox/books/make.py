"""Makes a company's books: two fiscal years of vouchers up to today, the same for the same spec and day."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random

from apps.connectors.sdk.sandbox import Books
from apps.records.enums import Counts, VoucherKind
from apps.records.ledger import Dimension, FiscalYear
from apps.sandbox.books.industries import Industry
from apps.sandbox.books.journal import Entry, Journal, Line, money, percent
from apps.sandbox.books.periodic import Payroll, Routine
from apps.sandbox.books.plan import Plan
from apps.sandbox.books.plans import PLANS
from apps.sandbox.books.spec import BooksSpec, add_months, fiscal_years, months, year_end_done
from apps.sandbox.books.trade import Trade


def make_books(spec: BooksSpec, today: date) -> Books:
    """The books of `spec` as they stand on `today`. Raises KeyError for an unknown country or industry."""
    plan = PLANS[spec.country]
    industry, years = plan.industries[spec.industry], fiscal_years(today, spec.year_start, plan.currency)
    rng, journal = Random(f"{spec.seed}/{spec.company}"), Journal(years, today)  # noqa: S311  made-up figures
    payroll = Payroll(spec, plan, industry, journal)
    openings = _openings(spec, plan, industry, payroll, rng)
    closed = year_end_done(spec, years, today)
    _settle_openings(plan, journal, openings)
    tax = _write(spec, plan, journal, payroll, rng)
    if closed:
        _close(plan, journal, tax, rng)
    _draft(plan, journal)
    return Books(
        company=spec.company,
        name=spec.name,
        organisation_number=spec.organisation_number,
        country=spec.country,
        currency=plan.currency,
        fiscal_years=(_said(years[0], closed=closed), _said(years[1], closed=False)),
        accounts=plan.accounts,
        dimensions=_dimensions(industry),
        openings={number: money(cents) for number, cents in sorted(openings.items()) if cents},
        vouchers=journal.vouchers(),
        locked_until=years[0].end if closed and spec.lock else None,
    )


def _write(spec: BooksSpec, plan: Plan, journal: Journal, payroll: Payroll, rng: Random) -> int:
    """Every month up to today, and the few vouchers already booked ahead; the previous year's tax in cents."""
    industry = plan.industries[spec.industry]
    trade, routine = Trade(spec, plan, industry, journal, rng), Routine(spec, plan, industry, journal, rng)
    recent = add_months(journal.today, -5)
    tax = None
    for first in months(journal.years[0].start, journal.today):
        if first == journal.years[1].start:
            tax = _tax(plan, journal, industry)
            _prepaid_tax(plan, journal, first, tax)
        if spec.vouchers >= 150 or first > recent or first.month % 3 == 0:
            trade.month(first)
            payroll.month(first)
        routine.month(first)
    for days in (190, 35):
        trade.reversed_purchase(journal.today - timedelta(days=days))
    trade.future(20)
    return tax or 0


def _openings(spec: BooksSpec, plan: Plan, industry: Industry, payroll: Payroll, rng: Random) -> dict[str, int]:
    """Opening balances in cents at the start of the first year: they sum to zero over other equity."""

    def about(whole: int) -> int:
        return whole * spec.size * rng.randint(85, 115) // 100 + rng.randint(0, 99)

    at, turnover = plan.at, sum(flow.amount for flow in industry.sales)
    opening = {
        industry.asset[0]: about(industry.asset[2] * 6 + industry.loan * 5 // 4),
        at.stock: about(sum(flow.amount for flow in industry.goods) // 12),
        at.bank: about(turnover // 4),
        at.capital: -3_000_000 if industry.taxed else -600_000,
        at.payable: -about(turnover // 25),
        plan.loan(industry): -industry.loan * spec.size,
        at.withheld: -payroll.withheld,
        at.employer: -payroll.employer,
        at.holiday: -payroll.owed,
        at.holiday_employer: -percent(payroll.owed, industry.employer_tax, of=10_000),
    }
    if industry.invoiced:
        opening[at.receivable] = about(turnover // 14)
    if industry.taxed:
        opening[at.tax_owed] = -about(turnover // 60)
    if industry.vat:
        opening[at.vat_settled] = -about(turnover // 45)
    opening[at.equity] = -sum(opening.values())
    return opening


def _settle_openings(plan: Plan, journal: Journal, opening: Mapping[str, int]) -> None:
    """What was owed at the start is paid in the first months."""
    start, at, say = journal.years[0].start, plan.at, plan.say
    for account, days, text in (
        (at.receivable, 12, say("customers_before")),
        (at.payable, 16, say("suppliers_before")),
        (at.vat_settled, 40, say("vat_before")),
    ):
        if cents := opening.get(account):
            day = start + timedelta(days=days)
            lines = [Line(account=account, cents=-cents), Line(account=at.bank, cents=cents)]
            journal.book(Entry(day=day, booked=day, text=text, lines=lines))
    if owed := opening.get(at.tax_owed):
        _prepaid_tax(plan, journal, start, -owed)


def _prepaid_tax(plan: Plan, journal: Journal, start: date, tax: int) -> None:
    """The year before's tax in two halves, in the second and the fourth month of the year."""
    halves = (tax // 2, tax - tax // 2)
    for half, after in zip(halves, (1, 3), strict=True):
        day = add_months(start, after).replace(day=15)
        if half:
            lines = [Line(account=plan.at.tax_owed, cents=half), Line(account=plan.at.bank, cents=-half)]
            journal.book(Entry(day=day, booked=day, text=plan.say("prepaid_tax"), lines=lines))


def _tax(plan: Plan, journal: Journal, industry: Industry) -> int:
    result = _result(journal)
    return percent(result, plan.tax) // 100 * 100 if industry.taxed and result > 0 else 0


def _result(journal: Journal) -> int:
    """The first year's result in cents, profit positive."""
    sums = journal.sums(journal.years[0].start, journal.years[0].end)
    return -sum(cents for account, cents in sums.items() if account >= "3000")


def _close(plan: Plan, journal: Journal, tax: int, rng: Random) -> None:
    """Tax and result of the previous year, on its last day, booked when the annual accounts were made."""
    end = journal.years[0].end
    booked = journal.years[1].start + timedelta(days=rng.randint(80, 115))
    if tax:
        lines = [Line(account=plan.at.tax, cents=tax), Line(account=plan.at.tax_owed, cents=-tax)]
        journal.book(Entry(day=end, booked=booked, text=plan.say("tax", year=end.year), lines=lines))
    result = _result(journal)
    lines = [Line(account=plan.at.result, cents=result), Line(account=plan.at.equity, cents=-result)]
    text = plan.say("result", year=end.year)
    journal.book(Entry(day=end, booked=booked, text=text, lines=lines, kind=VoucherKind.RESULT_TRANSFER))


def _draft(plan: Plan, journal: Journal) -> None:
    """One voucher entered and not booked yet: no number, not in the balances."""
    day = max(journal.today - timedelta(days=3), journal.years[1].start)
    cents = 124_950
    lines = [
        Line(account=plan.at.course, cents=cents, dimensions={"department": "1"}),
        Line(account=plan.at.payable, cents=-cents, party=plan.say("course_party")),
    ]
    text = plan.say("course")
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
