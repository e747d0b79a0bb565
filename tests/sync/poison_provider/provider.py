"""A provider whose reader kills the process that reads: what a crash in a C library or the OOM killer looks like."""

import os
import signal
from collections.abc import Iterator

from apps.connectors.sdk.declaration import ApiKey, Endpoint, Field, HostRule, Provider
from apps.connectors.sdk.queries import Digests, Page, Query
from apps.connectors.sdk.session import Prepared, Session
from apps.records.enums import Proof, Resource
from apps.records.ledger import Identity

AFTER_A_PAGE = "POISON_AFTER_A_PAGE"  # set: a page is read first, which does not say where to go on from


def sign(session: Session, request: Prepared) -> None:
    """Nothing is sent."""


def verify(session: Session) -> Identity:
    return Identity(company_id="7", name="Fjord AS", organisation_number="923609016", proof=Proof.REPORTED)


def read_vouchers(session: Session, *, query: Query, resume: str | None, digests: Digests) -> Iterator[Page]:
    if AFTER_A_PAGE in os.environ:
        yield Page()
    os.kill(os.getpid(), signal.SIGKILL)
    yield Page(last=True)


PROVIDER = Provider(
    slug="poison_provider",
    label="Poison",
    countries=("NO",),
    auth=(ApiKey(fields=(Field(name="api_key", label="Key", required=False),), sign=sign),),
    guide=(),
    base_url=lambda _values: "https://poison.example/api",
    hosts=(HostRule(pattern=r"poison\.example", sends_credentials=True),),
    secret_paths=(),
    verify=verify,
    resources={Resource.VOUCHERS: Endpoint(read=read_vouchers)},
    refusals=(),
    limits=(),
)
