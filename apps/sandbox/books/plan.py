"""What differs from country to country in made-up books: chart, VAT, the accounts of the usual roles, words, rates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from apps.records.ledger import Account
from apps.sandbox.books.industries import Industry


@dataclass(frozen=True, slots=True, kw_only=True)
class Vat:
    """A VAT code. `rates`: (in force from, hundredths of a percent), the oldest first; none is a rate of 0.

    `accounts`: the VAT accounts with their sign against the base.
    """

    rates: tuple[tuple[date, int], ...] = ()
    accounts: tuple[tuple[str, int], ...] = ()

    def rate(self, day: date) -> int:
        return next((rate for start, rate in reversed(self.rates) if start <= day), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The accounts that every company's books need."""

    stock: str
    receivable: str
    cash: str
    bank: str
    capital: str
    equity: str
    payable: str
    property: str  # with a loan on it, that loan is a mortgage
    loan: str
    mortgage: str
    tax_owed: str
    vat_settled: str
    withheld: str
    employer: str
    holiday: str
    holiday_employer: str
    wages: str
    holiday_cost: str
    employer_cost: str
    holiday_employer_cost: str
    cloud: str
    course: str
    fee: str
    interest_earned: str
    interest: str
    exchange_gain: str
    exchange_loss: str
    tax: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a country's small companies keep their books.

    `rates`: foreign currency -> lowest and highest price of one unit, in hundredths of the books' currency.
    `abroad_code`: the VAT code of a service bought abroad. `tax` in percent of the result.
    """

    country: str
    currency: str
    accounts: tuple[Account, ...]
    industries: Mapping[str, Industry]
    vat: Mapping[str, Vat]
    at: Roles
    words: Mapping[str, str]
    rates: Mapping[str, tuple[int, int]]
    abroad_code: str
    tax: int
    vat_months: int  # a VAT return covers so many
    vat_due: Callable[[date], date]  # last day of a VAT term -> the day by which it is paid

    @property
    def vat_accounts(self) -> tuple[str, ...]:
        return tuple(sorted({account for vat in self.vat.values() for account, _ in vat.accounts}))

    def say(self, word: str, **values: Any) -> str:
        """A text of the books in the country's language. Raises KeyError for a word the plan lacks."""
        return self.words[word].format(**values)

    def loan(self, industry: Industry) -> str:
        """Loans with security in property stand on their own account."""
        return self.at.mortgage if industry.asset[0] == self.at.property else self.at.loan


def percents(hundredths: int) -> Decimal:
    """Hundredths of a percent as a percentage with no needless places: 2500 is 25, 2550 is 25.5."""
    whole = Decimal(hundredths).scaleb(-2)
    return whole.quantize(Decimal(1)) if whole == whole.to_integral() else whole.normalize()
