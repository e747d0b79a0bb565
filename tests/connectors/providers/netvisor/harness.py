"""Netvisor for the contract suite: two companies of a bureau, each with keys of its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from apps.connectors.providers.netvisor.sandbox import make_sandbox
from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Window
from apps.connectors.sdk.sandbox import Answer, Request, Sandbox
from tests.connectors.bench import Harness, Refused
from tests.connectors.providers.netvisor.books import MAIN, OTHER, books

KEY, OTHER_KEY = "CANARYCUSTOMERKEY0123456789", "OTHERCUSTOMERKEY0123456789"
PARTNER = {"partner_id": "PARTNER_1", "partner_key": "CANARYPARTNERKEY0123456789"}
MAIN_NR, OTHER_NR = "1967543-8", "0112038-9"
GOOD = {
    "customer_id": "WEBS_00001_AAAA", "customer_key": KEY, "organisation_id": MAIN_NR, "sender": "Kontor päivä", **PARTNER,
}  # fmt: skip
LONE = {**GOOD, "customer_id": "WEBS_00002_BBBB", "customer_key": OTHER_KEY, "organisation_id": OTHER_NR}


def seed(sandbox: Sandbox) -> None:
    access = {"customer_id": "WEBS_00001_AAAA", "customer_key": KEY, **PARTNER}
    sandbox.seed(books("main", "Saaristo Oy", MAIN_NR, MAIN), access)
    access = {"customer_id": "WEBS_00002_BBBB", "customer_key": OTHER_KEY, **PARTNER}
    sandbox.seed(books("other", "Mäntylä Oy", OTHER_NR, OTHER), access)


def xml(body: str, status: int = 200, encoding: str = "utf-8", **headers: str) -> Answer:
    return Answer(status=status, headers={"Content-Type": "text/xml", **headers}, body=body.encode(encoding))


def ok(body: str = "", status: int = 200, at: str = "20.11.2026 2:03:24") -> Answer:
    told = f"<ResponseStatus><Status>OK</Status><TimeStamp>{at}</TimeStamp></ResponseStatus>"
    return xml(f"<Root>{told}{body}</Root>", status)


def failed(told: str, status: int = 200, **headers: str) -> Answer:
    lines = f"<Status>FAILED</Status><Status>{told}</Status><TimeStamp>7.4.2009 13:46:07</TimeStamp>"
    return xml(f"<Root><ResponseStatus>{lines}</ResponseStatus></Root>", status, **headers)


def always(answer: Answer) -> Callable[[Request, int], Answer]:
    """For a bench's mouth: this answer to every request."""
    return lambda _request, _n: replace(answer)


HTML = Answer(status=500, headers={"Content-Type": "text/html"}, body=b"<!DOCTYPE html><html><h1>Netvisor</h1></html>")

HARNESS = Harness(
    slug="netvisor",
    make=make_sandbox,
    seed=seed,
    values=GOOD,
    bad_key={**GOOD, "customer_key": "CANARYWRONGKEY0123456789"},
    other_company=LONE,
    company_id=lambda _sandbox: MAIN_NR,
    organisation_number=MAIN_NR,
    companies=0,
    missing_right=lambda sandbox: sandbox.fault("main", "no_right", {"resources": ["accountingledger.nv"]}),
    long_window=Window(date(2026, 8, 1), date(2026, 10, 29)),
    long_ids=90,
    edge=date(2026, 3, 31),
    page_path="/accountingledger.nv",
    gone_id="999999",
    refusals=(
        Refused(name="401", answer=xml("", 401), failure=Failure.RECONNECT, code="connector.refused"),
        Refused(name="402", answer=xml("", 402), failure=Failure.PERMISSION),
        Refused(
            name="403",
            answer=failed("SERVICE_ACCESS_ERROR :: No access", 403),
            failure=Failure.PERMISSION,
            code="netvisor.resource_missing",
        ),
        Refused(  # the keys open another resource: it is this one that is not ticked
            name="AUTHENTICATION_FAILED for one resource",
            answer=failed("AUTHENTICATION_FAILED :: No", 401),
            failure=Failure.PERMISSION,
            code="netvisor.resource_missing",
        ),
        Refused(name="404", answer=xml("<html/>", 404), failure=Failure.UNKNOWN, code="connector.not_understood"),
        Refused(
            name="422",
            answer=failed("INVALID_DATA :: Data form incorrect:. Date", 422),
            failure=Failure.RECORD,
            code="netvisor.invalid_data",
        ),
        Refused(
            name="429",
            answer=Answer(status=429, headers={"Retry-After": "77"}),
            failure=Failure.TRANSIENT,
            code="connector.busy",
            retry_after=77.0,
        ),
        Refused(name="500", answer=xml("", 500), failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(name="HTML", answer=HTML, failure=Failure.TRANSIENT, code="connector.vendor_fault"),
        Refused(
            name="HTML with 200",
            answer=Answer(status=200, headers={"Content-Type": "text/html"}, body=HTML.body),
            failure=Failure.TRANSIENT,
            code="connector.vendor_fault",
        ),
        Refused(
            name="not unique",
            answer=failed("REQUEST_NOT_UNIQUE :: Pyyntö ei ole yksilöllinen"),
            failure=Failure.TRANSIENT,
            code="netvisor.not_unique",
        ),
        Refused(
            name="maintenance",
            answer=failed("SYSTEM_MAINTANANCE :: Huoltokatko", 503),
            failure=Failure.TRANSIENT,
            code="netvisor.maintenance",
        ),
        Refused(
            name="technical",
            answer=failed("TECHNICAL_ERROR :: Tekninen virhe", 500),
            failure=Failure.TRANSIENT,
            code="netvisor.technical_error",
        ),
        Refused(
            name="locked", answer=failed("PERIOD_LOCK :: x"), failure=Failure.RECORD, code="netvisor.period_lock"
        ),
        Refused(
            name="duplicate", answer=failed("DUPLICATE_DATA :: x"), failure=Failure.RECORD, code="netvisor.duplicate"
        ),
        Refused(
            name="something new with 200",
            answer=failed("MOON_PHASE :: Uusikuu"),
            failure=Failure.UNKNOWN,
            code="netvisor.unknown_category",
        ),
        Refused(
            name="a failure without category",
            answer=failed("Jokin meni vikaan"),
            failure=Failure.UNKNOWN,
            code="netvisor.unknown_category",
        ),
        Refused(name="cut XML", answer=xml("<Root><ResponseStatus>"), failure=Failure.TRANSIENT),
        Refused(
            name="no status", answer=xml("<Root/>"), failure=Failure.TRANSIENT, code="connector.bad_page"
        ),
        Refused(
            name="another answer",
            answer=ok("<CustomerList><Customer/></CustomerList>"),
            failure=Failure.TRANSIENT,
            code="connector.bad_page",
        ),
    ),
    drop_line=lambda sandbox: sandbox.fault("main", "drop_line", {"external_id": "sale"}),
    canaries=(KEY, PARTNER["partner_key"]),
    travels=(),
    issued=lambda _vault: KEY,
)  # fmt: skip
