"""A provider of nobody's, for tests of what stands around providers. Loaded through KONTOR_PROVIDER_PACKAGES."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from apps.connectors.sdk.declaration import (
    ApiKey,
    Endpoint,
    Field,
    FieldScope,
    HostRule,
    LimitScope,
    Provider,
    RateLimit,
)
from apps.connectors.sdk.queries import Digests, Full, Gone, Page, Query, Window
from apps.connectors.sdk.session import Prepared, Session
from apps.records.enums import Proof, Resource
from apps.records.ledger import Account, Identity, Posting, Record, Voucher

FIELDS = (
    Field(name="api_key", label="Key", secret=True),
    Field(name="company", label="Company", required=False, templated=True, example="%ORGNR%"),
    Field(name="site", label="Site", required=False, pattern=r"[a-z]+", example="north"),
    Field(name="app_token", label="Token", secret=True, scope=FieldScope.OPERATOR),
)


def sign(session: Session, request: Prepared) -> None:
    held = session.vault.get("session")
    if held is None:
        made = session.read("/login", method="POST", payload={"key": session.values["api_key"]}, signed=False)
        held = {"token": made.data["token"]}
        session.masker.know(held["token"])
        session.vault.put("session", held)
    session.masker.know(held["token"])
    request.headers["X-Token"] = held["token"]
    if session.values.get("company"):
        request.headers["X-Company"] = session.values["company"]


def _identity(row: dict[str, str]) -> Identity:
    return Identity(
        company_id=row["id"],
        name=row["name"],
        organisation_number=row.get("number"),
        vat_number=row.get("vat"),
        proof=Proof(row.get("proof", "reported")),
    )


def verify(session: Session) -> Identity:
    return _identity(session.read("/company").data)


def discover(session: Session) -> Iterator[Identity]:
    for row in session.read("/companies").data:
        yield _identity(row)


def _voucher(row: dict[str, str]) -> Voucher:
    day = date.fromisoformat(row["date"])
    lines = tuple(
        Posting(row=number, date=day, account=account, amount=Decimal(amount))
        for number, (account, amount) in enumerate((("1920", row["amount"]), ("3000", f"-{row['amount']}")), 1)
    )
    return Voucher(external_id=row["id"], date=day, postings=lines, raw=row)


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    page = int(resume or 1)
    while True:
        window = {"from": query.start, "to": query.end} if isinstance(query, Window) else {}
        got = session.read("/vouchers", {"page": page, **window}).data
        records = tuple(_voucher(row) for row in got["rows"])
        page += 1
        yield Page(
            records=records,
            resume=None if got["last"] else str(page),
            last=got["last"],
            vendor_count=len(records),
            watermark=got.get("mark"),
            gone=tuple(Gone(external_id=gone, resource=Resource.VOUCHERS) for gone in got.get("gone", ())),
        )
        if got["last"] or got.get("stops"):
            return


def get_vouchers(session: Session, ids: Iterable[str]) -> Iterator[Record | Gone]:
    for wanted in ids:
        answer = session.read(f"/vouchers/{wanted}", accept=(404,))
        yield _voucher(answer.data) if answer.status == 200 else Gone(external_id=wanted, resource=Resource.VOUCHERS)


def read_accounts(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    assert isinstance(query, Full)
    yield Page(records=(Account(external_id="1", number="1920", name="Bank"),), last=True)


PROVIDER = Provider(
    slug="fake_provider",
    label="Fake",
    countries=("NO",),
    auth=(ApiKey(fields=FIELDS, sign=sign),),
    guide=(),
    base_url=lambda _values: "https://fake.example/api",
    hosts=(HostRule(pattern=r"fake\.example", sends_credentials=True),),
    secret_paths=("header:X-Token", "json:key", "json:token"),
    verify=verify,
    discover=discover,
    identity_fields=("company",),
    resources={
        Resource.VOUCHERS: Endpoint(read=read_vouchers, get=get_vouchers),
        Resource.ACCOUNTS: Endpoint(read=read_accounts),
    },
    refusals=(),
    limits=(RateLimit(scope=LimitScope.CREDENTIAL, remaining_header="x-remaining", reset_header="x-reset"),),
)
