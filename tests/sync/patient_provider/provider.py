"""A provider that only takes its time: so many pages without vouchers, so many seconds each, and a diary of them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from apps.connectors.sdk.declaration import ApiKey, Endpoint, Field, HostRule, Provider
from apps.connectors.sdk.queries import Digests, Page, Query
from apps.connectors.sdk.session import Prepared, Session
from apps.records.enums import Proof, Resource
from apps.records.ledger import Identity

DIARY = "KONTOR_TEST_DIARY"  # a file: key, begun, ended of every page


def sign(session: Session, request: Prepared) -> None:
    """Nothing is sent."""


def verify(session: Session) -> Identity:
    return Identity(company_id="7", name="Fjord AS", organisation_number=session.values["number"], proof=Proof.REPORTED)


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    pages = int(session.values["pages"])
    for number in range(int(resume or 0) + 1, pages + 1):
        begun = time.time()
        time.sleep(float(session.values["seconds"]))
        if DIARY in os.environ:
            with Path(os.environ[DIARY]).open("a", encoding="ascii") as diary:
                diary.write(f"{session.values['api_key']} {begun} {time.time()}\n")
        yield Page(records=(), resume=None if number == pages else str(number), last=number == pages)


PROVIDER = Provider(
    slug="patient_provider",
    label="Patient",
    countries=("NO",),
    auth=(
        ApiKey(
            fields=(
                Field(name="api_key", label="Key", secret=True),
                Field(name="number", label="Number"),
                Field(name="pages", label="Pages"),
                Field(name="seconds", label="Seconds"),
            ),
            sign=sign,
        ),
    ),
    guide=(),
    base_url=lambda _values: "https://patient.example/api",
    hosts=(HostRule(pattern=r"patient\.example", sends_credentials=True),),
    secret_paths=("header:Authorization",),
    verify=verify,
    resources={Resource.VOUCHERS: Endpoint(read=read_vouchers)},
    refusals=(),
    concurrency=2,
)
