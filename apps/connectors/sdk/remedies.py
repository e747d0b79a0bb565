"""Remedies that do not depend on the vendor."""

from apps.connectors.sdk.failures import Remedy, Who
from apps.connectors.sdk.text import _

UNREACHABLE = Remedy(
    code="connector.unreachable",
    who=Who.VENDOR,
    title=_("The other system could not be reached."),
    steps=(_("Nothing is needed now: Kontor tries again by itself."), _("Check the vendor's status page if it lasts.")),
)
ADDRESS_REFUSED = Remedy(
    code="connector.address_refused",
    who=Who.SUPPORT,
    title=_("Kontor does not connect to this address."),
    steps=(_("Check the address in the connector."), _("Ask the operator of Kontor whether this host may be opened.")),
)
TLS_REFUSED = Remedy(
    code="connector.tls_refused",
    who=Who.SUPPORT,
    title=_("The other system's certificate is not accepted."),
    steps=(
        _("Nothing was sent. The vendor may have let its certificate run out: check its status page."),
        _("If other programs reach it, the operator checks this machine's clock and network."),
    ),
)
BUSY = Remedy(
    code="connector.busy",
    who=Who.VENDOR,
    title=_("The other system asks us to wait; its limit of calls is used up."),
    steps=(_("Nothing is needed: Kontor goes on when the limit allows."),),
)
VENDOR_FAULT = Remedy(
    code="connector.vendor_fault",
    who=Who.VENDOR,
    title=_("The other system answered with a fault of its own."),
    steps=(_("Nothing is needed now: Kontor tries again by itself."), _("Check the vendor's status page if it lasts.")),
)
REFUSED = Remedy(
    code="connector.refused",
    who=Who.CLIENT,
    title=_("The other system no longer accepts the key."),
    steps=(_("Make a new key in the other system."), _("Enter it in the connector and press Activate.")),
)
NOT_ALLOWED = Remedy(
    code="connector.not_allowed",
    who=Who.CLIENT,
    title=_("The key lacks a right, or the company lacks a module or subscription."),
    steps=(
        _("Open the rights of the key in the other system and add what is missing."),
        _("Then press Try again."),
    ),
)
NOT_UNDERSTOOD = Remedy(
    code="connector.not_understood",
    who=Who.SUPPORT,
    title=_("The other system answered something that Kontor does not know."),
    steps=(_("Send the reference to support; the answer is kept in the log."),),
)
BAD_PAGE = Remedy(
    code="connector.bad_page",
    who=Who.VENDOR,
    title=_("A page from the other system was not whole."),
    steps=(_("Nothing was stored from it. Kontor reads it again by itself."),),
)
FIELD_MISSING = Remedy(
    code="connector.field_missing",
    who=Who.BUREAU,
    title=_("A field is not filled in."),
    steps=(_("Fill in the field and press Activate."),),
)
FIELD_FORM = Remedy(
    code="connector.field_form",
    who=Who.BUREAU,
    title=_("A field does not have the right form."),
    steps=(_("Compare with the example beside the field and press Activate."),),
)
OPERATOR_FIELD = Remedy(
    code="connector.operator_field",
    who=Who.SUPPORT,
    title=_("This Kontor is not set up for the system yet."),
    steps=(_("The operator sets the value named below and restarts Kontor."),),
)
PLACEHOLDER = Remedy(
    code="connector.placeholder",
    who=Who.BUREAU,
    title=_("{placeholder} in the field {field} cannot be filled in for {client}."),
    steps=(_("Fill in the client's own data, or correct the placeholder in the connector."),),
)
NOT_INSTALLED = Remedy(
    code="connector.not_installed",
    who=Who.SUPPORT,
    title=_("This Kontor does not have the system that the connector is for."),
    steps=(_("The operator installs its package again and restarts Kontor."),),
)
UNREADABLE = Remedy(
    code="connector.unreadable",
    who=Who.SUPPORT,
    title=_("What was stored for the connector is read by none of the keys in use."),
    steps=(
        _("The operator puts the missing key back into FERNET_KEYS and restarts Kontor."),
        _("Is the key lost? Then enter the connector's fields again and press Activate."),
    ),
)

# The button Connect again stands beside every problem whose code is `<slug>.consent_...`.
_AGAIN = _("Press Connect again, and consent in the other system.")

CLIENT_REFUSED = Remedy(
    code="connector.client_refused",
    who=Who.BUREAU,
    title=_("The other system does not accept the client id and client secret."),
    steps=(
        _("Copy both again from the application's page in the other system, without spaces."),
        _("A secret that was made anew there replaces the old one: enter the new one and press Activate."),
    ),
)
SCOPE_REFUSED = Remedy(
    code="connector.scope_refused",
    who=Who.SUPPORT,
    title=_("The application is not registered for all that Kontor asks for."),
    steps=(_("Add the missing scopes to the application in the other system, then connect again."),),
)
CONSENT_MISSING = Remedy(
    code="connector.consent_missing",
    who=Who.CLIENT,
    title=_("Nobody has consented yet that Kontor reads this company."),
    steps=(_AGAIN,),
)
CONSENT_DENIED = Remedy(
    code="connector.consent_denied",
    who=Who.CLIENT,
    title=_("The consent was refused in the other system."),
    steps=(_AGAIN, _("Sign in there as a user who may give other programs access.")),
)
CONSENT_CODE = Remedy(
    code="connector.consent_code",
    who=Who.BUREAU,
    title=_("The consent took too long, or its answer was used already."),
    steps=(_AGAIN,),
)
CONSENT_EXPIRED = Remedy(
    code="connector.consent_expired",
    who=Who.CLIENT,
    title=_("The consent has expired: it was not used for too long."),
    steps=(_AGAIN,),
)
CONSENT_WITHDRAWN = Remedy(
    code="connector.consent_withdrawn",
    who=Who.CLIENT,
    title=_("The consent was withdrawn in the other system."),
    steps=(_("Ask who withdrew it, and why."), _AGAIN),
)
CONSENT_LOST = Remedy(
    code="connector.consent_lost",
    who=Who.CLIENT,
    title=_("The consent was lost while it was renewed: the other system's answer did not arrive."),
    steps=(_("Nothing was changed in the other system, and nobody did anything wrong."), _AGAIN),
)
CONSENT_ENDS = Remedy(
    code="connector.consent_ends",
    who=Who.CLIENT,
    title=_("The consent ends on {day}, unless it is renewed before."),
    steps=(_AGAIN,),
)
CONSENT_STATE = Remedy(
    code="connector.consent_state",
    who=Who.BUREAU,
    title=_("This answer of the other system belongs to no consent that you have begun here."),
    steps=(
        _(
            "Nothing was stored. It may be older than ten minutes or used already, or you have signed in anew or use another browser."
        ),
        _AGAIN,
    ),
)
