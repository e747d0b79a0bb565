"""What comes back every month or term whatever the trade: wages, depreciation, interest, fees, VAT."""

from datetime import date, timedelta
from random import Random

from apps.records.enums import VoucherKind
from apps.sandbox.books.industries import Industry
from apps.sandbox.books.journal import Entry, Journal, Line, percent, total
from apps.sandbox.books.plan import Plan
from apps.sandbox.books.spec import BooksSpec, month_end

HOLIDAY_PAY = 1200  # hundredths of a percent (five weeks by agreement)
WITHHELD = 30  # percent


class Payroll:
    """Monthly wages. Holiday pay is earned in one calendar year and paid in June of the next."""

    def __init__(self, spec: BooksSpec, plan: Plan, industry: Industry, journal: Journal) -> None:
        self.plan = plan
        self.journal = journal
        self.tax = industry.employer_tax
        self.gross = industry.salary * spec.size // 11  # cents a month; nothing in June
        start = journal.years[0].start
        self.holiday = {start.year: 0}
        for month in range(1, 13 if start.month == 1 else start.month):
            year = start.year - (start.month == 1)
            self.holiday[year] = self.holiday.get(year, 0) + (0 if month == 6 else self._earned())
        self.owed = sum(self.holiday.values())
        self.withheld = 2 * percent(self.gross, WITHHELD)  # of the term before the first year
        self.employer = 2 * percent(self.gross, self.tax, of=10_000)

    def _earned(self) -> int:
        return percent(self.gross, HOLIDAY_PAY, of=10_000)

    def month(self, first: date) -> None:
        """Pays what is due of the earlier term, then this month's wages on the 20th."""
        if not self.gross:
            return
        if first.month % 2 == 1 and (self.withheld or self.employer):
            self._pay_authorities(first.replace(day=15))
        day = first.replace(day=20)
        if first.month == 6:
            self._holiday(day)
        else:
            self._wages(day)

    def _wages(self, day: date) -> None:
        held, earned = percent(self.gross, WITHHELD), self._earned()
        tax, tax_earned = percent(self.gross, self.tax, of=10_000), percent(earned, self.tax, of=10_000)
        administration = {"department": "1"}
        at, say = self.plan.at, self.plan.say
        lines = [
            Line(
                account=at.wages, cents=self.gross - self.gross // 3, text=say("salary"), dimensions={"department": "1"}
            ),
            Line(account=at.wages, cents=self.gross // 3, text=say("hourly"), dimensions=administration),
            Line(account=at.withheld, cents=-held, text=say("withheld")),
            Line(account=at.bank, cents=held - self.gross, text=say("net_wages")),
            Line(account=at.holiday_cost, cents=earned, text=say("holiday_earned"), dimensions=administration),
            Line(account=at.holiday, cents=-earned, text=say("holiday_earned")),
            Line(account=at.employer_cost, cents=tax, text=say("employer"), dimensions=administration),
            Line(account=at.employer, cents=-tax, text=say("employer")),
            Line(
                account=at.holiday_employer_cost,
                cents=tax_earned,
                text=say("holiday_employer"),
                dimensions=administration,
            ),
            Line(account=at.holiday_employer, cents=-tax_earned, text=say("holiday_employer")),
        ]
        if self.journal.book(Entry(day=day, booked=day, text=say("wages", day=day), lines=lines)):
            self.holiday[day.year] = self.holiday.get(day.year, 0) + earned
            self.withheld += held
            self.employer += tax

    def _holiday(self, day: date) -> None:
        amount = self.holiday.pop(day.year - 1, 0)
        tax = percent(amount, self.tax, of=10_000)
        at, say = self.plan.at, self.plan.say
        lines = [
            Line(account=at.holiday, cents=amount, text=say("holiday")),
            Line(account=at.bank, cents=-amount, text=say("holiday_net")),
            Line(account=at.holiday_employer, cents=tax, text=say("holiday_employer")),
            Line(account=at.employer, cents=-tax, text=say("holiday_employer")),
        ]
        if amount and self.journal.book(
            Entry(day=day, booked=day, text=say("holiday_year", year=day.year - 1), lines=lines)
        ):
            self.employer += tax

    def _pay_authorities(self, day: date) -> None:
        at, say = self.plan.at, self.plan.say
        lines = [
            Line(account=at.withheld, cents=self.withheld, text=say("withheld")),
            Line(account=at.employer, cents=self.employer, text=say("employer")),
        ]
        lines.append(Line(account=at.bank, cents=-total(lines)))
        if self.journal.book(Entry(day=day, booked=day, text=say("authorities"), lines=lines)):
            self.withheld = self.employer = 0


class Routine:
    """Depreciation, fees, interest and the VAT return of every one or two months."""

    def __init__(self, spec: BooksSpec, plan: Plan, industry: Industry, journal: Journal, rng: Random) -> None:
        self.plan = plan
        self.industry = industry
        self.journal = journal
        self.rng = rng
        self.size = spec.size
        self.every = 3 if spec.vouchers < 150 else 1  # months
        self.settled_to = journal.years[0].start - timedelta(days=1)

    def month(self, first: date) -> None:
        """The month's routine entries on its last day; after a VAT term's last month its VAT."""
        at, say = self.plan.at, self.plan.say
        day = month_end(first)
        account, depreciation, yearly = self.industry.asset
        if first.month % self.every == 0:
            self._two(day, say("depreciation"), depreciation, account, cents=yearly * self.size * self.every // 12)
            self._two(day, say("bank_fee"), at.fee, at.bank, cents=self.rng.randint(4_500, 39_900))
        if self.industry.loan and first.month % 3 == 0:
            self._loan(day)
        if first.month == 12:
            self._two(day, say("interest_earned"), at.bank, at.interest_earned, cents=self.rng.randint(80_000, 900_000))
        if first.month % self.plan.vat_months == 0 and self.industry.vat:
            self._settle_vat(day)

    def _two(self, day: date, text: str, debit: str, credit: str, *, cents: int) -> Entry | None:
        place = {"department": "1"}
        lines = [
            Line(account=account, cents=sign * cents, dimensions=dict(place) if account[0] > "2" else {})
            for account, sign in ((debit, 1), (credit, -1))
        ]
        return self.journal.book(Entry(day=day, booked=day, text=text, lines=lines))

    def _loan(self, day: date) -> None:
        loan = self.industry.loan * self.size
        interest, part = percent(loan, 145, of=10_000), loan // 80
        at, say = self.plan.at, self.plan.say
        lines = [
            Line(account=at.interest, cents=interest, text=say("interest")),
            Line(account=self.plan.loan(self.industry), cents=part, text=say("instalment")),
            Line(account=at.fee, cents=0, text=say("waived_fee")),
            Line(account=at.bank, cents=-interest - part),
        ]
        self.journal.book(Entry(day=day, booked=day, text=say("loan", day=day), lines=lines))

    def _settle_vat(self, end: date) -> None:
        """The VAT accounts to the settlement account on the term's last day, booked with the return; paid at its deadline."""
        sums = self.journal.sums(self.settled_to + timedelta(days=1), end)
        lines = [Line(account=account, cents=-sums[account]) for account in self.plan.vat_accounts if sums.get(account)]
        deadline = self.plan.vat_due(end)
        returned = deadline - timedelta(days=self.rng.randint(2, 9))
        owed, settled, bank = total(lines), self.plan.at.vat_settled, self.plan.at.bank
        lines.append(Line(account=settled, cents=-owed))
        text = self.plan.say("vat_return", term=end.month // self.plan.vat_months, year=end.year)
        entry = Entry(day=end, booked=returned, text=text, lines=lines, kind=VoucherKind.VAT_SETTLEMENT)
        if len(lines) > 1 and self.journal.book(entry):
            self.settled_to = end
            debit, credit = (settled, bank) if owed > 0 else (bank, settled)
            paid = self.plan.say("vat_paid", text=text[0].lower() + text[1:])
            self._two(deadline, paid, debit, credit, cents=abs(owed))
