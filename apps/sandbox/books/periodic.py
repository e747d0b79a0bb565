"""What comes back every month or term whatever the trade: wages, depreciation, interest, fees, VAT."""

from datetime import date, timedelta
from random import Random

from apps.records.enums import VoucherKind
from apps.sandbox.books.industries import Industry
from apps.sandbox.books.journal import VAT_ACCOUNTS, Entry, Journal, Line, percent, total
from apps.sandbox.books.spec import BooksSpec, add_months, month_end

HOLIDAY_PAY = 1200  # hundredths of a percent (five weeks by agreement)
WITHHELD = 30  # percent


class Payroll:
    """Monthly wages. Holiday pay is earned in one calendar year and paid in June of the next."""

    def __init__(self, spec: BooksSpec, industry: Industry, journal: Journal) -> None:
        self.journal = journal
        self.tax = industry.employer_tax
        self.gross = industry.salary * spec.size // 11  # øre a month; nothing in June
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
        lines = [
            Line(account="5000", cents=self.gross - self.gross // 3, text="Fastlønn", dimensions={"department": "1"}),
            Line(account="5000", cents=self.gross // 3, text="Timelønn", dimensions=administration),
            Line(account="2600", cents=-held, text="Forskuddstrekk"),
            Line(account="1920", cents=held - self.gross, text="Netto lønn"),
            Line(account="5180", cents=earned, text="Avsatt feriepenger", dimensions=administration),
            Line(account="2940", cents=-earned, text="Avsatt feriepenger"),
            Line(account="5400", cents=tax, text="Arbeidsgiveravgift", dimensions=administration),
            Line(account="2770", cents=-tax, text="Arbeidsgiveravgift"),
            Line(account="5405", cents=tax_earned, text="Avgift av feriepenger", dimensions=administration),
            Line(account="2780", cents=-tax_earned, text="Avgift av feriepenger"),
        ]
        if self.journal.book(Entry(day=day, booked=day, text=f"Lønn {day:%m.%Y}", lines=lines)):
            self.holiday[day.year] = self.holiday.get(day.year, 0) + earned
            self.withheld += held
            self.employer += tax

    def _holiday(self, day: date) -> None:
        amount = self.holiday.pop(day.year - 1, 0)
        tax = percent(amount, self.tax, of=10_000)
        lines = [
            Line(account="2940", cents=amount, text="Feriepenger"),
            Line(account="1920", cents=-amount, text="Feriepenger, trekkfrie"),
            Line(account="2780", cents=tax, text="Avgift av feriepenger"),
            Line(account="2770", cents=-tax, text="Avgift av feriepenger"),
        ]
        if amount and self.journal.book(Entry(day=day, booked=day, text=f"Feriepenger {day.year - 1}", lines=lines)):
            self.employer += tax

    def _pay_authorities(self, day: date) -> None:
        lines = [
            Line(account="2600", cents=self.withheld, text="Forskuddstrekk"),
            Line(account="2770", cents=self.employer, text="Arbeidsgiveravgift"),
        ]
        lines.append(Line(account="1920", cents=-total(lines)))
        if self.journal.book(Entry(day=day, booked=day, text="Skatteetaten, trekk og avgift", lines=lines)):
            self.withheld = self.employer = 0


class Routine:
    """Depreciation, fees, interest and the two-monthly VAT return."""

    def __init__(self, spec: BooksSpec, industry: Industry, journal: Journal, rng: Random) -> None:
        self.industry = industry
        self.journal = journal
        self.rng = rng
        self.size = spec.size
        self.every = 3 if spec.vouchers < 150 else 1  # months
        self.settled_to = journal.years[0].start - timedelta(days=1)

    def month(self, first: date) -> None:
        """The month's routine entries on its last day; after an even month the VAT of the term."""
        day = month_end(first)
        account, depreciation, yearly = self.industry.asset
        if first.month % self.every == 0:
            self._two(day, "Avskrivning", depreciation, account, cents=yearly * self.size * self.every // 12)
            self._two(day, "Bankgebyr", "7770", "1920", cents=self.rng.randint(4_500, 39_900))
        if self.industry.loan and first.month % 3 == 0:
            self._loan(day)
        if first.month == 12:
            self._two(day, "Renter innskudd", "1920", "8050", cents=self.rng.randint(80_000, 900_000))
        if first.month % 2 == 0 and self.industry.vat:
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
        account = loan_account(self.industry)
        lines = [
            Line(account="8150", cents=interest, text="Renter"),
            Line(account=account, cents=part, text="Avdrag"),
            Line(account="7770", cents=0, text="Termingebyr, ettergitt"),
            Line(account="1920", cents=-interest - part),
        ]
        self.journal.book(Entry(day=day, booked=day, text=f"Lån, termin {day:%m.%Y}", lines=lines))

    def _settle_vat(self, end: date) -> None:
        """The VAT accounts to 2740 on the term's last day, booked with the return; paid at its deadline."""
        sums = self.journal.sums(self.settled_to + timedelta(days=1), end)
        lines = [Line(account=account, cents=-sums[account]) for account in VAT_ACCOUNTS if sums.get(account)]
        deadline = date(end.year, 8, 31) if end.month == 6 else add_months(end, 2).replace(day=10)
        returned = deadline - timedelta(days=self.rng.randint(2, 9))
        owed = total(lines)
        lines.append(Line(account="2740", cents=-owed))
        text = f"Mva-oppgjør {end.month // 2}. termin {end.year}"
        entry = Entry(day=end, booked=returned, text=text, lines=lines, kind=VoucherKind.VAT_SETTLEMENT)
        if len(lines) > 1 and self.journal.book(entry):
            self.settled_to = end
            debit, credit = ("2740", "1920") if owed > 0 else ("1920", "2740")
            self._two(deadline, f"Skatteetaten, {text[0].lower()}{text[1:]}", debit, credit, cents=abs(owed))


def loan_account(industry: Industry) -> str:
    """Loans with security in property stand on their own account."""
    return "2240" if industry.asset[0] == "1100" else "2220"
