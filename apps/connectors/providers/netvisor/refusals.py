"""Netvisor's refusals: each category's failure and what people do about it. Places in brackets: vendors/netvisor/README.md.

Judged by the category of the second Status element; its text comes in the user's language [Messages]. The one text
that is looked into is "not found" of a customer: the vendor gives it the category of every other mistake
(samples/response_GetCustomerNotFound.xml). We always ask in English; the Finnish words are those of
samples/response_AuthenticationFailed.xml, should the vendor have no English ones.
"""

import re
from typing import Any

from apps.connectors.sdk import remedies
from apps.connectors.sdk.failures import Failure, Refusal, Remedy, Seen, Who
from apps.connectors.sdk.text import _
from apps.connectors.sdk.xml import Element, child, children, text

OK, FAILED = "OK", "FAILED"
NOT_THERE = ("not found", "ei löydy")
_CATEGORY = re.compile(r"[A-Z][A-Z0-9_]+")

BAD_KEYS = (
    Remedy(  # [Errors] AUTHENTICATION_FAILED: bad keys, MAC or partner; samples/response_AuthenticationFailed.xml
        code="netvisor.bad_keys",
        who=Who.CLIENT,
        title=_("Netvisor does not accept the keys of this company."),
        steps=(
            _("Check the business id: the keys must have been made in that company's Netvisor."),
            _("In Netvisor a user of the company makes new API identifiers; copy the customer id and the key at once."),
            _("Enter both in the connector and press Activate."),
            _(
                "Does no company get in? Then the operator compares partner id and partner key with Netvisor's letter,"
                " and this server's clock with the right time."
            ),
        ),
    )
)
RESOURCE_MISSING = Remedy(  # [Authentication] "Rights of API resources"; [Errors] SERVICE_ACCESS_ERROR
    code="netvisor.resource_missing",
    who=Who.CLIENT,
    title=_("Kontor may not read {resource} in this company's Netvisor."),
    steps=(
        _(
            "An administrator of the company opens Rights of API resources in Netvisor, chooses Kontor, and ticks {resource}."
        ),
        _("The company needs a package with the Web Service Interface: Professional, Premium or Payroll."),
        _("Then press Try again."),
    ),
)
NOT_UNIQUE = Remedy(  # [Errors] REQUEST_NOT_UNIQUE; [Authentication] a retry needs a new TransactionId
    code="netvisor.not_unique",
    who=Who.SUPPORT,
    title=_("Netvisor took a request for a repeated one."),
    steps=(_("Nothing is needed: Kontor asks again with a new number."),),
)
MAINTENANCE = Remedy(  # [Errors] SYSTEM_MAINTANANCE
    code="netvisor.maintenance",
    who=Who.VENDOR,
    title=_("Netvisor is closed for maintenance."),
    steps=(_("Nothing is needed: Kontor tries again by itself."),),
)
TECHNICAL = Remedy(  # [Errors] TECHNICAL_ERROR; [nv:77000500440] also where two requests of a company overlap
    code="netvisor.technical_error",
    who=Who.VENDOR,
    title=_("Netvisor has a technical error."),
    steps=(
        _("Nothing is needed now: Kontor tries again by itself."),
        _("If it lasts: let no other program read this company's Netvisor at the same time."),
    ),
)
NOT_FOUND = Remedy(  # [Errors] customer not found: FAILED INVALID_DATA; samples/response_GetCustomerNotFound.xml
    code="netvisor.not_found",
    who=Who.BUREAU,
    title=_("Netvisor does not have this any more."),
    steps=(_("Nothing is needed if it was deleted in Netvisor."),),
)
INVALID = Remedy(  # [Errors] INVALID_DATA, INVALID_DATA_SIZE
    code="netvisor.invalid_data",
    who=Who.SUPPORT,
    title=_("Netvisor refuses what was asked: {said}"),
    steps=(_("Send the reference to support; the answer is kept in the log."),),
)
DUPLICATE = Remedy(  # [Errors] DUPLICATE_DATA
    code="netvisor.duplicate",
    who=Who.BUREAU,
    title=_("Netvisor has one with this number or code already."),
    steps=(_("Look it up in Netvisor, then correct the number or code."),),
)
PERIOD_LOCKED = Remedy(  # [Errors] PERIOD_LOCK
    code="netvisor.period_lock",
    who=Who.BUREAU,
    title=_("The period is locked in Netvisor."),
    steps=(_("Choose a later date, or open the period in Netvisor, and try again."),),
)
UNKNOWN_CATEGORY = Remedy(  # [Errors] "Unknown categories must not crash the parser"
    code="netvisor.unknown_category",
    who=Who.SUPPORT,
    title=_("Netvisor refuses for a reason that Kontor does not know: {said}"),
    steps=(_("Send the reference to support; the answer is kept in the log."),),
)


def statuses(body: Any) -> list[str]:
    """The texts of the Status elements, in order."""
    if not isinstance(body, Element):
        return []
    return [text(status) or "" for status in children(child(body, "ResponseStatus"), "Status")]


def succeeded(body: Any) -> bool:
    """The vendor's own flag: the first Status is OK and none is FAILED."""
    told = [status.upper() for status in statuses(body)]
    return bool(told) and told[0] == OK and FAILED not in told


def error_codes(body: Any) -> tuple[str, ...]:
    """The category before ` :: ` of the Status that is more than FAILED; nothing where there is none."""
    for status in statuses(body):
        if status.upper() not in (OK, FAILED, ""):
            named = status.partition("::")[0].strip().upper() if "::" in status else status
            match = _CATEGORY.match(named)
            return (match.group(),) if match else ("",)
    return ("",) if FAILED in [status.upper() for status in statuses(body)] else ()


def refused(seen: Seen) -> bool:
    return not succeeded(seen.body)


def _not_found(seen: Seen) -> bool:
    return any(words in status.lower() for status in statuses(seen.body) for words in NOT_THERE)


def _categorised(seen: Seen) -> bool:
    return bool(error_codes(seen.body))


def _broken(seen: Seen) -> bool:
    return seen.status >= 500 and _categorised(seen)


def _no_status(seen: Seen) -> bool:
    return isinstance(seen.body, Element) and not statuses(seen.body)


REFUSALS = (
    Refusal(failure=Failure.RECONNECT, remedy=BAD_KEYS, codes=("AUTHENTICATION_FAILED",), field="customer_key"),
    Refusal(failure=Failure.TRANSIENT, remedy=NOT_UNIQUE, codes=("REQUEST_NOT_UNIQUE",)),
    Refusal(failure=Failure.PERMISSION, remedy=RESOURCE_MISSING, codes=("SERVICE_ACCESS_ERROR",)),
    # the vendor's spelling, and the right one should they mend it
    Refusal(failure=Failure.TRANSIENT, remedy=MAINTENANCE, codes=("SYSTEM_MAINTANANCE", "SYSTEM_MAINTENANCE")),
    Refusal(failure=Failure.TRANSIENT, remedy=TECHNICAL, codes=("TECHNICAL_ERROR",)),
    Refusal(failure=Failure.RECORD, remedy=PERIOD_LOCKED, codes=("PERIOD_LOCK",)),
    Refusal(failure=Failure.RECORD, remedy=DUPLICATE, codes=("DUPLICATE_DATA",)),
    Refusal(failure=Failure.RECORD, remedy=NOT_FOUND, codes=("INVALID_DATA",), when=_not_found),
    Refusal(failure=Failure.RECORD, remedy=INVALID, codes=("INVALID_DATA", "INVALID_DATA_SIZE")),
    Refusal(failure=Failure.TRANSIENT, remedy=remedies.BUSY, statuses=(429,)),
    # a category that is not documented: the status decides, where it says something
    Refusal(failure=Failure.RECONNECT, remedy=BAD_KEYS, statuses=(401,), when=_categorised, field="customer_key"),
    Refusal(failure=Failure.PERMISSION, remedy=RESOURCE_MISSING, statuses=(403,), when=_categorised),
    Refusal(failure=Failure.TRANSIENT, remedy=TECHNICAL, when=_broken),
    Refusal(failure=Failure.UNKNOWN, remedy=UNKNOWN_CATEGORY, when=_categorised),
    Refusal(failure=Failure.TRANSIENT, remedy=remedies.BAD_PAGE, statuses=(200,), when=_no_status),
)
