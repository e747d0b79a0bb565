"""Fortnox for the contract suite: service accounts of two companies, by one application."""

import json
from base64 import b64encode
from datetime import date
from typing import Any

from apps.connectors.providers.fortnox.sandbox.service import FortnoxSandbox
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Full
from apps.connectors.sdk.sandbox import Answer, Request, Sandbox
from tests.connectors.bench import Harness, Refused
from tests.connectors.providers.fortnox.books import MAIN, OTHER, books

CLIENT, SECRET = "canary-client-id-0011", "canary-client-secret-77aa01"
MAIN_NR, OTHER_NR = "556036-0793", "556012-5790"
MAIN_TENANT, OTHER_TENANT = "29302", "29303"
GOOD = {"auth": "oauth_client", "client_id": CLIENT, "client_secret": SECRET, "tenant_id": MAIN_TENANT}
PROOF = b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
ISSUED: list[str] = []


class OneToken(FortnoxSandbox):
    """Gives the token of the first answer again, as the suite's sessions do not share theirs."""

    def handle(self, request: Request) -> Answer:
        if request.path != "/oauth-v1/token":
            return super().handle(request)
        kept: dict[str, Answer] = self.__dict__.setdefault("given", {})
        who = f"{request.headers.get('authorization')} {request.headers.get('tenantid')}"
        if who not in kept:
            answer = super().handle(request)
            if answer.status != 200:
                return answer
            kept[who] = answer
        ISSUED[:] = [json.loads(kept[who].body)["access_token"]]
        return kept[who]


def seed(sandbox: Sandbox) -> None:
    access: dict[str, Any] = {
        "clients": [{"client_id": CLIENT, "client_secret": SECRET, "redirect_uri": "https://kontor.example/back"}],
        "consents": [{"client_id": CLIENT, "service": True}],
    }
    sandbox.store.set("rate_limit", {"off": True})  # the suite's sessions have no limiter
    sandbox.seed(books("main", "Fjällglimt AB", MAIN_NR, MAIN), {**access, "tenant": int(MAIN_TENANT)})
    sandbox.seed(books("other", "Bäckby AB", OTHER_NR, OTHER), {**access, "tenant": int(OTHER_TENANT)})


def error(status: int, code: int | None, message: str = "x", *, lower: bool = False, wait: int | None = None) -> Answer:
    names = ("error", "message", "code") if lower else ("Error", "Message", "Code")
    told = dict(zip(names, (1, message, code), strict=True))
    body = {"ErrorInformation": told} if code is not None else {"message": message}
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())


HTML = Answer(
    status=503, headers={"Content-Type": "text/html"}, body=b"<html><h1>Tillf\xc3\xa4lligt avbrott</h1></html>"
)

HARNESS = Harness(
    slug="fortnox",
    make=OneToken,
    seed=seed,
    values=GOOD,
    bad_key={**GOOD, "client_secret": "canary-unknown-secret-00"},
    other_company={**GOOD, "tenant_id": OTHER_TENANT},
    company_id=lambda _sandbox: MAIN_TENANT,
    organisation_number=MAIN_NR,
    companies=1,
    missing_right=lambda sandbox: sandbox.fault("main", "right_withdrawn", {}),
    long_window=Full(),
    long_ids=len(MAIN),
    edge=date(2026, 3, 31),
    page_path="/sie/4",
    gone_id="5-A-999999",
    refusals=(
        Refused(name="401", answer=error(401, None), failure=Failure.RECONNECT, code="fortnox.access_refused"),
        Refused(name="402", answer=error(402, 0), failure=Failure.PERMISSION),
        Refused(name="403", answer=error(403, 2003275), failure=Failure.PERMISSION, code="fortnox.register_closed"),
        Refused(
            name="403 without body",
            answer=Answer(status=403),
            failure=Failure.PERMISSION,
            code="fortnox.register_closed",
        ),
        Refused(
            name="no licence", answer=error(403, 2001101), failure=Failure.PERMISSION, code="fortnox.licence_missing"
        ),
        Refused(
            name="no licence, as 400",
            answer=error(400, 2001101, lower=True),
            failure=Failure.PERMISSION,
            code="fortnox.licence_missing",
        ),
        Refused(
            name="no API licence",
            answer=error(400, 2001103),
            failure=Failure.PERMISSION,
            code="fortnox.api_licence_missing",
        ),
        Refused(
            name="a right, by the text only",
            answer=error(400, 2009999, "Saknar behörighet"),
            failure=Failure.PERMISSION,
            code="fortnox.register_closed",
        ),
        Refused(
            name="bad filter",
            answer=error(400, 2000587, lower=True),
            failure=Failure.UNKNOWN,
            code="fortnox.request_refused",
        ),
        Refused(name="legacy login", answer=error(400, 2000310), failure=Failure.RECONNECT),
        Refused(name="404", answer=error(404, 2000429), failure=Failure.RECORD, code="fortnox.not_found"),
        Refused(name="422", answer=error(422, 2000359), failure=Failure.RECORD, code="fortnox.refused"),
        Refused(
            name="429",
            answer=error(429, None, wait=77),
            failure=Failure.TRANSIENT,
            code="connector.busy",
            retry_after=77.0,
        ),
        Refused(name="500", answer=error(500, 1000003), failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="as 400", answer=error(400, 1000003), failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="HTML", answer=HTML, failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="something new", answer=error(400, 2999999), failure=Failure.UNKNOWN),
        Refused(
            name="no file", answer=Answer(status=200, body=b"{}"), failure=Failure.TRANSIENT, code="connector.bad_page"
        ),
        Refused(
            name="HTML as 200",
            answer=Answer(status=200, body=HTML.body),
            failure=Failure.TRANSIENT,
            code="connector.bad_page",
        ),
    ),
    drop_line=lambda sandbox: sandbox.fault("main", "drop_line", {"external_id": "sale"}),
    canaries=(PROOF,),  # how client id and secret stand on the wire
    issued=lambda _vault: ISSUED[0],
)
