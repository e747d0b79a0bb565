"""Sales, purchases and what is paid in and out."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random

from apps.records.enums import VoucherKind
from apps.sandbox.books.industries import Flow, Industry
from apps.sandbox.books.journal import Entry, Journal, Line, percent, total, with_vat
from apps.sandbox.books.plan import Plan
from apps.sandbox.books.spec import BooksSpec, add_months, month_end


class Trade:
    """One company's trade, month by month. `open_purchases`: entries not yet paid, with their due day and cents."""

    def __init__(self, spec: BooksSpec, plan: Plan, industry: Industry, journal: Journal, rng: Random) -> None:
        self.plan = plan
        self.spec = spec
        self.industry = industry
        self.journal = journal
        self.rng = rng
        self.small = spec.vouchers < 150
        self.open_purchases: list[tuple[date, int, str]] = []
        self.cash = 0
        self.invoice_no = 10_000
        self.budget = 1 if self.small else max(2, spec.vouchers // 24 - 9)

    def month(self, first: date) -> None:
        """All trade of the month that starts on `first`."""
        self._pay_suppliers(first)
        self._deposit_cash(first)
        sales, goods = self.budget * 2 // 5 + 1, self.budget // 5 + 1
        if not self.industry.invoiced:
            sales = self.budget * 3 // 4 + 1
        for amount in self._split(sum(flow.amount for flow in self.industry.sales), sales):
            self._sale(self._day(first), amount)
        for flow in self.industry.goods:
            for amount in self._split(flow.amount, max(1, goods // len(self.industry.goods))):
                self._purchase(self._day(first), flow, amount)
        rent, *others = self.industry.overheads
        self._purchase(first, rent, self._share(rent.amount))
        billed = 1 if self.small else min(len(others), max(2, self.budget // 2))
        for flow in self.rng.sample(others, billed):  # the rest bill less often, and then for longer
            self._purchase(self._day(first), flow, self._share(flow.amount * len(others) // billed))
        if self.industry.abroad and first.month % 3 == 0:
            self._abroad(self._day(first))

    def future(self, days: int) -> None:
        """Vouchers already booked on days to come in the current year: rent and a subscription."""
        last = self.journal.years[1].end
        for n in (7, days):
            day = self.journal.today + timedelta(days=n)
            if day <= last:
                self._purchase(
                    day, self.industry.overheads[n % 3], self._share(self.industry.overheads[n % 3].amount), future=True
                )

    def _split(self, yearly: int, parts: int) -> list[int]:
        month = self._share(yearly)
        weights = [self.rng.randint(50, 150) for _ in range(parts)]
        return [month * weight // sum(weights) for weight in weights]

    def _share(self, yearly: int) -> int:
        """About a twelfth of a yearly amount in whole units, at the company's size, in cents."""
        return yearly * self.spec.size * self.rng.randint(820, 1180) // 12_000 + self.rng.randint(0, 99)

    def _day(self, first: date) -> date:
        return first + timedelta(days=self.rng.randint(0, month_end(first).day - 1))

    def _dimensions(self, *, project: bool = False) -> dict[str, str]:
        found = {"department": str(self.rng.randint(1, len(self.industry.departments)))}
        if project and self.industry.projects:
            found["project"] = str(100 + self.rng.randint(1, len(self.industry.projects)))
        return found

    def _lines(self, day: date, flow: Flow, cents: int, *, sign: int) -> list[Line]:
        dimensions = self._dimensions(project=sign < 0)
        line = Line(account=flow.account, cents=sign * cents, text=flow.text, dimensions=dimensions)
        return with_vat(line, flow.code, self.plan, day)

    def _sale(self, day: date, cents: int) -> None:
        flows, at, say = self.industry.sales, self.plan.at, self.plan.say
        yearly = sum(flow.amount for flow in flows)
        lines = [row for flow in flows for row in self._lines(day, flow, cents * flow.amount // yearly, sign=-1)]
        if not self.industry.invoiced:
            card = percent(-total(lines), self.rng.randint(88, 99))
            paid = [
                Line(account=at.bank, cents=card, text=say("card")),
                Line(account=at.cash, cents=-total(lines) - card, text=say("cash")),
            ]
            if self.journal.book(Entry(day=day, booked=day, text=f"{flows[0].text} {day:%d.%m}", lines=paid + lines)):
                self.cash += paid[1].cents
            return
        self.invoice_no += 1
        customer = self.rng.choice(self.industry.customers)
        due = day + timedelta(days=self.rng.choice((10, 14, 14, 30)))
        owed = Line(account=at.receivable, cents=-total(lines), party=customer, due=due)
        text = say("invoice", number=self.invoice_no, customer=customer)
        if self.journal.book(Entry(day=day, booked=day, text=text, lines=[owed, *lines])):
            self._receive(due + timedelta(days=self.rng.randint(-4, 9)), owed, text)

    def _receive(self, day: date, owed: Line, text: str) -> None:
        lines = [
            Line(account=self.plan.at.bank, cents=owed.cents),
            Line(account=owed.account, cents=-owed.cents, party=owed.party),
        ]
        told = self.plan.say("received", text=text[0].lower() + text[1:])
        self.journal.book(Entry(day=day, booked=day, text=told, lines=lines))

    def _purchase(self, day: date, flow: Flow, cents: int, *, future: bool = False) -> Entry | None:
        code = flow.code if self.industry.vat else None
        lines = self._lines(day, Flow(flow.account, code, 0, flow.text), cents, sign=1)
        due = day + timedelta(days=self.rng.choice((14, 20, 30)))
        lines.append(Line(account=self.plan.at.payable, cents=-total(lines), party=flow.party, due=due))
        booked = self.journal.today if future else day + timedelta(days=self.rng.randint(0, 5))
        entry = self.journal.book(Entry(day=day, booked=booked, text=f"{flow.party}: {flow.text.lower()}", lines=lines))
        if entry and not future:
            self.open_purchases.append((due, -lines[-1].cents, flow.party))
        return entry

    def _pay_suppliers(self, first: date) -> None:
        """One payment run for all that falls due by the 20th: many lines on payables, one on the bank."""
        day = first.replace(day=self.rng.choice((10, 14, 15)))
        payable = [item for item in self.open_purchases if item[0] <= first.replace(day=20)]
        if not payable or day > self.journal.today:
            return
        at, say = self.plan.at, self.plan.say
        lines = [Line(account=at.payable, cents=cents, party=party) for _, cents, party in payable]
        fee = 200 * len(payable)
        lines.append(Line(account=at.fee, cents=fee, text=say("payment_fee"), dimensions={"department": "1"}))
        lines.append(Line(account=at.bank, cents=-total(lines)))
        if self.journal.book(Entry(day=day, booked=day, text=say("payment_run", day=day), lines=lines)):
            self.open_purchases = [item for item in self.open_purchases if item not in payable]

    def _deposit_cash(self, first: date) -> None:
        """Last month's takings to the bank, in whole hundreds."""
        day, cents = first + timedelta(days=1), self.cash // 10_000 * 10_000
        at, text = self.plan.at, self.plan.say("cash_deposit")
        lines = [Line(account=at.bank, cents=cents), Line(account=at.cash, cents=-cents)]
        if cents and self.journal.book(Entry(day=day, booked=day, text=text, lines=lines)):
            self.cash -= cents

    def _abroad(self, day: date) -> None:
        """A service from abroad (reverse charge), and its payment at another rate."""
        currency, at, say = self.industry.abroad, self.plan.at, self.plan.say
        low, high = self.plan.rates[currency]
        foreign, then, now = self.rng.randint(40_000, 180_000), self.rng.randint(low, high), self.rng.randint(low, high)
        cost = _foreign(at.cloud, foreign, then, currency, say("cloud"))
        owed = _foreign(at.payable, -foreign, then, currency, say("cloud"))
        cost.dimensions = self._dimensions()
        cost.party = owed.party = "Cloudhaven Ltd"
        text = say("cloud_bill", currency=currency)
        lines = [*with_vat(cost, self.plan.abroad_code, self.plan, day), owed]
        if not self.journal.book(Entry(day=day, booked=day, text=text, lines=lines)):
            return
        paid = [_foreign(at.payable, foreign, then, currency, text), _foreign(at.bank, -foreign, now, currency, text)]
        if difference := -total(paid):
            account = at.exchange_loss if difference > 0 else at.exchange_gain
            paid.append(Line(account=account, cents=difference, text=say("exchange")))
        due = add_months(day, 1)
        self.journal.book(Entry(day=due, booked=due, text=say("paid", text=text), lines=paid))

    def reversed_purchase(self, day: date) -> None:
        """An invoice booked twice by mistake, and the voucher that takes it back a few days later."""
        flow = self.industry.overheads[0]
        wrong = self._purchase(day, flow, self._share(flow.amount))
        if not wrong:
            return
        self.open_purchases.pop()
        back = wrong.booked + timedelta(days=2)
        lines = [Line(account=line.account, cents=-line.cents, text=line.text, vat_code=line.vat_code, vat_rate=line.vat_rate, tax_role=line.tax_role,
                      base=None if line.base is None else -line.base, party=line.party, dimensions=line.dimensions)
                 for line in wrong.lines]  # fmt: skip
        text = self.plan.say("reversal", text=wrong.text)
        entry = Entry(day=back, booked=back, text=text, lines=lines, kind=VoucherKind.REVERSAL, reverses=wrong)
        wrong.reversed_by = self.journal.book(entry)


def _foreign(account: str, foreign: int, price: int, currency: str, text: str) -> Line:
    """A line of `foreign` hundredths at `price` cents for one unit."""
    cents = percent(foreign, price)
    return Line(
        account=account, cents=cents, text=text, currency=currency, foreign=foreign, rate=Decimal(price).scaleb(-2)
    )
