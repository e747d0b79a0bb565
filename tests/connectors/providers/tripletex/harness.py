"""Tripletex for the contract suite: a bureau's key that opens two companies, and a single company's key."""

import json
from datetime import date
from typing import Any

from apps.connectors.providers.tripletex.sandbox import make_sandbox
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Window
from apps.connectors.sdk.sandbox import Answer, Sandbox
from tests.connectors.bench import Harness, Refused
from tests.connectors.providers.tripletex.books import MAIN, OTHER, books

BUREAU, SINGLE = "canary-bureau-key-5a1f0c7d9e", "canary-single-key-77aa01bc23"
CONSUMER = "canary-consumer-token-1f2e3d4c5b"
MAIN_NR, OTHER_NR, LONE_NR, CLOSED_NR = "987463104", "974760673", "923609016", "912345672"
GOOD = {"api_key": BUREAU, "org_nr": MAIN_NR, "consumer_token": CONSUMER}
LONE = {"api_key": SINGLE, "org_nr": "", "consumer_token": CONSUMER}


def seed(sandbox: Sandbox) -> None:
    bureau = {"consumer_token": CONSUMER, "keys": [{"employee_token": BUREAU, "kind": "bureau"}]}
    sandbox.seed(books("main", "Fjordglimt AS", MAIN_NR, MAIN), {**bureau, "opened_to": [BUREAU]})
    sandbox.seed(books("other", "Bakkeli AS", OTHER_NR, OTHER), {**bureau, "opened_to": [BUREAU]})
    sandbox.seed(books("closed", "Ikke Åpnet AS", CLOSED_NR, OTHER), bureau)
    key = {"consumer_token": CONSUMER, "keys": [{"employee_token": SINGLE, "kind": "single"}]}
    sandbox.seed(books("lone", "Enebakken AS", LONE_NR, OTHER), key)


def error(status: int, code: int, message: str = "x", fields: tuple[str, ...] = (), **headers: str) -> Answer:
    body: dict[str, Any] = {"status": status, "code": code, "message": message, "developerMessage": None}
    body["validationMessages"] = [{"field": name, "message": "x", "path": name, "rootId": None} for name in fields]
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())


HTML = Answer(
    status=500, headers={"Content-Type": "text/html"}, body=b"<html><h1>Feilsituasjon - Tripletex</h1></html>"
)

HARNESS = Harness(
    slug="tripletex",
    make=make_sandbox,
    seed=seed,
    values=GOOD,
    bad_key={**GOOD, "api_key": "canary-unknown-key-00"},
    other_company=LONE,
    company_id=lambda sandbox: str((sandbox.store.get("", "company", "main") or {})["id"]),
    organisation_number=MAIN_NR,
    companies=2,
    missing_right=lambda sandbox: sandbox.fault("main", "no_entitlement", {}),
    long_window=Window(date(2026, 10, 1), date(2026, 10, 31)),
    long_ids=2100,
    edge=date(2026, 3, 31),
    page_path="/ledger/voucher",
    gone_id="1",
    refusals=(
        Refused(name="401", answer=error(401, 3000), failure=Failure.RECONNECT, code="tripletex.bad_key"),
        Refused(name="402", answer=error(402, 0), failure=Failure.PERMISSION),
        Refused(name="403", answer=error(403, 9000), failure=Failure.PERMISSION, code="tripletex.entitlement_missing"),
        Refused(name="404", answer=error(404, 21000), failure=Failure.UNKNOWN, code="tripletex.request_refused"),
        Refused(name="422", answer=error(422, 15000), failure=Failure.UNKNOWN, code="tripletex.request_refused"),
        Refused(
            name="429",
            answer=error(429, 0, **{"Retry-After": "77"}),
            failure=Failure.TRANSIENT,
            code="connector.busy",
            retry_after=77.0,
        ),
        Refused(
            name="429 by the vendor's own header",
            answer=error(429, 0, **{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "55"}),
            failure=Failure.TRANSIENT,
            retry_after=55.0,
        ),
        Refused(name="500", answer=error(500, 1000), failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="HTML", answer=HTML, failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="409", answer=error(409, 8000), failure=Failure.RECORD, code="tripletex.refused"),
        Refused(name="something new", answer=error(418, 99), failure=Failure.UNKNOWN, code="connector.not_understood"),
        Refused(
            name="cut JSON",
            answer=Answer(status=200, body=b'{"values": [{"id": 1, "da'),
            failure=Failure.TRANSIENT,
            code="connector.vendor_fault",
        ),
        Refused(
            name="no list", answer=Answer(status=200, body=b"{}"), failure=Failure.TRANSIENT, code="connector.bad_page"
        ),
    ),
    drop_line=lambda sandbox: sandbox.fault("main", "drop_line", {"external_id": "sale"}),
    canaries=(BUREAU, CONSUMER),
    issued=lambda vault: str((vault.get("session") or {})["token"]),
)
