"""The wrong-company guard: whether the company behind a connection is the client. Blocked means nothing is stored."""

import re

from django.utils.translation import gettext_noop as _

from apps.clients.identifiers import same_number, short_form
from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.connectors.sdk.failures import Failure, Who
from apps.notifications.actions import Trouble
from apps.records.enums import Proof
from apps.records.ledger import Identity

WRONG_COMPANY = "connector.wrong_company"
OTHER_COMPANY_ID = "connector.other_company_id"
UNCONFIRMED_COMPANY = "connector.unconfirmed_company"
CONFIRMABLE = frozenset({OTHER_COMPANY_ID, UNCONFIRMED_COMPANY})  # a wrong number is put right, never confirmed
UNTOLD = "–"


def check_company(
    *, identity: Identity, client: Client, connection: Connection | None = None, confirmed_id: str = ""
) -> Trouble | None:
    """None where the company is the client; else why nothing may be read.

    `confirmed_id`: the vendor's id of a company that staff confirm now, besides the one kept on the connection.
    """
    same = _is_client(identity, client)
    if same is False:
        return _trouble(WRONG_COMPANY, identity, client)
    kept = connection.confirmed.get("company_id", "") if connection is not None else ""
    confirmed = identity.company_id in {confirmed_id, kept} - {""}
    pinned = connection.pinned_company_id if connection is not None else ""
    if pinned and identity.company_id != pinned and not confirmed:
        return _trouble(OTHER_COMPANY_ID, identity, client, pinned=pinned)
    if same is None and not confirmed:
        return _trouble(UNCONFIRMED_COMPANY, identity, client)
    return None


def _is_client(identity: Identity, client: Client) -> bool | None:
    """Whether the numbers say so; None where one of them is missing and people must say it."""
    ours = client.organisation_number
    if not ours or identity.proof is Proof.NONE:
        return None
    # `addressed`: the vendor does not tell, and the identity carries the number we sent
    if identity.organisation_number:
        return same_number(client.country, identity.organisation_number, ours)
    if identity.proof is Proof.REPORTED and identity.vat_number:
        return same_vat(client.country, identity.vat_number, ours)
    return None


def same_vat(country: str, vat_number: str, organisation_number: str) -> bool:
    """Whether a VAT number is the one of an organisation number.

    It is the number itself with the country before it, and in Norway MVA, in Sweden 01 behind it.
    """
    vat = re.sub(r"[^0-9A-Z]", "", vat_number.upper()).removeprefix(country)
    behind = {"NO": "MVA", "SE": "01"}.get(country, "")
    if behind and same_number(country, vat.removesuffix(behind), organisation_number):
        return True
    return same_number(country, vat, organisation_number)


def _trouble(code: str, identity: Identity, client: Client, *, pinned: str = "") -> Trouble:
    titles = {
        WRONG_COMPANY: _(
            "The connection opens {company} ({company_number}), but the client is {client} ({client_number})."
        ),
        OTHER_COMPANY_ID: _(
            "The connection now opens another company of the same number: {company} ({company_number}), id"
            " {company_id} instead of {pinned_id}, for client {client} ({client_number})."
        ),
        UNCONFIRMED_COMPANY: _(
            "Nothing proves that {company} ({company_number}) is the client {client} ({client_number})."
        ),
    }
    steps = {
        WRONG_COMPANY: (
            _("Nothing was stored. Compare both organisation numbers."),
            _("Enter the right company's key, or choose the right company when you consent."),
            _("If it is the client's organisation number that is wrong, correct it, and press Activate."),
        ),
        OTHER_COMPANY_ID: (
            _("Nothing was stored. It may be a copy, a test company or a second division."),
            _("If it is the right one, confirm it with a reason; else correct the connection and press Activate."),
        ),
        UNCONFIRMED_COMPANY: (
            _("Enter the client's organisation number if it is missing, and press Activate."),
            _("Where the other system tells no number, look at the company and confirm it with a reason."),
        ),
    }
    number = identity.organisation_number
    return Trouble(
        code=code,
        failure=Failure.SETUP.value,
        who=Who.BUREAU.value,
        title=titles[code],
        steps=steps[code],
        facts={
            "company": identity.name or UNTOLD,
            "company_number": short_form(client.country, number) if number else identity.vat_number or UNTOLD,
            "company_id": identity.company_id,
            "pinned_id": pinned,
            "client": client.name,
            "client_number": short_form(client.country, client.organisation_number or UNTOLD),
        },
    )
