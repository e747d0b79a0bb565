"""A client on Tripletex' sandbox over real HTTP, and its runs worked in this process."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from apps.clients.models import Client
from apps.connectors.models import RateBucket
from apps.connectors.sdk.sandbox import Books, Edit
from apps.flows.models import Feed
from apps.ledger.models import Balance, Finding, LedgerState, OpeningBalance, Posting, Proof, Voucher, VoucherVersion
from apps.notifications.models import Problem
from apps.records.ledger import FiscalYear
from apps.records.ledger import Voucher as Record
from apps.sync.actions import start_run
from apps.sync.engine import work
from apps.sync.enums import LIVE, RunKind
from apps.sync.models import Run
from tests.connectors.bench import Mouth
from tests.connectors.providers.tripletex.books import books, voucher

NUMBER, OTHER_NUMBER = "987463104", "974760673"
CONSUMER = "the-consumer-token"
LAST_YEAR = FiscalYear(start=date(2025, 1, 1), end=date(2025, 12, 31))
THIS_YEAR = FiscalYear(start=date(2026, 1, 1), end=date(2026, 12, 31))
YEARS = (LAST_YEAR, THIS_YEAR)
SLICES_AT_MOST = 400


def rent(name: str, day: str, amount: str = "100.00", **more: Any) -> Record:
    """Rent paid from the bank; the story's name of the voucher is `name`."""
    return voucher(name, date.fromisoformat(day), ("6300", amount), ("1920", f"-{amount}"), **more)


def sale(name: str, day: str, amount: str = "1000.00") -> Record:
    return voucher(name, date.fromisoformat(day), ("1920", amount), ("3000", f"-{amount}"))


# One in each of the last months, two of them before the window; what most tests start from.
PLAIN = (
    sale("sale-old", "2025-11-10", "5000.00"),
    rent("rent-old", "2025-12-12"),
    rent("rent-jan", "2026-01-20"),
    sale("sale-feb", "2026-02-10"),
    rent("rent-feb", "2026-02-20"),
    sale("sale-mar", "2026-03-10"),
    rent("rent-mar", "2026-03-20"),
    sale("sale-apr", "2026-04-10", "1250.50"),
)


def company(
    vouchers: Iterable[Record] = PLAIN, *, key: str = "main", number: str = NUMBER, years: Any = YEARS, **more: Any
) -> Books:
    made = books(key, "Fjordglimt AS", number, tuple(vouchers))
    return replace(made, **{"fiscal_years": tuple(years), "locked_until": None, **more})


@dataclass
class Vendor:
    """The sandbox, and a mouth in front of it; every company has a key of its own, named after it."""

    mouth: Mouth
    base_url: str

    def seed(self, told: Books, **access: Any) -> None:
        key = {"employee_token": f"key-of-{told.company}", "kind": "single"}
        self.mouth.sandbox.seed(told, {"consumer_token": CONSUMER, "keys": [key], **access})

    def edit(self, action: str, name: str, *, company: str = "main", **more: Any) -> None:
        self.mouth.sandbox.edit(company, Edit(action=action, external_id=name, **more))

    def post(self, *told: Record, company: str = "main") -> None:
        for one in told:
            self.edit("post", one.external_id, voucher=one, company=company)

    def fault(self, switch: str, settings: dict[str, Any] | None = None, *, company: str = "main") -> None:
        self.mouth.sandbox.fault(company, switch, settings or {})

    def mend(self, switch: str, *, company: str = "main") -> None:
        self.mouth.sandbox.fault(company, switch, None)

    def id_of(self, name: str, company: str = "main") -> str:
        return next(str(row["id"]) for row in self.mouth.store.rows(company, "voucher") if row["story"] == name)


@dataclass
class Bookkeeping:
    """A client with its feed."""

    vendor: Vendor
    feed: Feed
    ids: dict[str, str] = field(default_factory=dict)  # the story's name -> the vendor's id, also of what is gone

    @property
    def client(self) -> Client:
        return self.feed.client

    def start(self, **more: Any) -> Run:
        return start_run(feed=self.feed, kind=RunKind.MANUAL, **more)

    def night(self, **more: Any) -> Run:
        """A run from its start to its end; waits between slices are passed over."""
        return self.finish(self.start(**more))

    def finish(self, run: Run) -> Run:
        for _ in range(SLICES_AT_MOST):
            if run.state not in LIVE:
                self.feed = Feed.objects.get(pk=self.feed.pk)
                return run
            Run.objects.filter(pk=run.pk).update(not_before=None)
            RateBucket.objects.all().delete()  # a wait that is passed over is over for the vendor's limits too
            assert work(run.pk) is not None
            run.refresh_from_db()
        raise AssertionError(f"the run does not end: {run.stage}, {run.detail}")

    @property
    def proof(self) -> Proof:
        proof = LedgerState.objects.get(client=self.client).proof
        assert proof is not None
        return proof

    def problems(self) -> list[str]:
        found = Problem.objects.filter(client=self.client, resolved_at=None)
        return sorted(found.values_list("code", flat=True))

    def problem(self) -> Problem:
        return Problem.objects.get(client=self.client, resolved_at=None)

    def voucher(self, name: str) -> Voucher:
        if name not in self.ids:
            self.ids[name] = self.vendor.id_of(name)
        return Voucher.objects.get(client=self.client, external_id=self.ids[name])

    def version(self, name: str) -> VoucherVersion:
        return VoucherVersion.objects.get(voucher=self.voucher(name))

    def movement(self, account: str, period: int | None = None) -> Decimal:
        rows = Balance.objects.filter(client=self.client, account__number=account)
        rows = rows if period is None else rows.filter(period=period)
        return sum((row.debit - row.credit for row in rows), Decimal(0))

    def findings(self) -> list[str]:
        found = Finding.objects.filter(client=self.client, resolved_at=None)
        return sorted(found.values_list("kind", flat=True))

    def balances(self) -> list[Any]:
        rows = Balance.objects.filter(client=self.client)
        return sorted(rows.values_list("period", "account__number", "debit", "credit", "provisional", "postings"))

    def kept(self) -> dict[str, Any]:
        """Everything the books hold, to be compared before and after."""
        mine = {"client": self.client}
        return {
            "vouchers": list(
                Voucher.objects.filter(**mine).order_by("pk").values_list(
                    "pk", "external_id", "date", "hash", "version", "deleted_at", "kept_out"
                )
            ),
            "postings": list(
                Posting.objects.filter(**mine).order_by("pk").values_list("pk", "account__number", "amount", "period")
            ),
            "balances": self.balances(),
            "openings": sorted(
                OpeningBalance.objects.filter(**mine).values_list("fiscal_year__start", "account__number", "amount")
            ),
        }  # fmt: skip
