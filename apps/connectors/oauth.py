"""Consent: a person is sent to the vendor's page, and what comes back is taken once.

It must come in the same browser, for the same user, connector and client; and the company behind the new tokens is
compared before they are kept.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions.activation import Activation, Consented, activate_consented
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.models import Connection, Connector, ConsentState
from apps.connectors.sdk import oauth, remedies
from apps.connectors.sdk.auths import OAuth2Code
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sdk.session import Session
from apps.connectors.sessions import candidate_session, declared, secrets_of
from apps.connectors.troubles import trouble_of

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Who asks, and in which browser session: both must be the same when the vendor sends them back."""

    user_id: int
    session_key: str

    @property
    def digest(self) -> str:
        return _digest(self.session_key)


def start(
    *,
    client: Client,
    provider: str,
    auth: str,
    values: Mapping[str, str],
    entered: Mapping[str, str],
    browser: Browser,
    redirect_uri: str,
    connector: Connector | None = None,
) -> str:
    """The address of the vendor's consent page. `entered`: the secrets that were typed; others stay as they are.

    Nothing is stored but the begun consent. Raises ConnectorError (SETUP) for fields that do not fit.
    """
    stored = secrets_of(connector) if connector is not None else {}
    typed = {name: value.strip() for name, value in entered.items() if value.strip()}
    given = {**{name: value.strip() for name, value in values.items()}, **stored, **typed}
    session, way = _session(client, provider, auth, given)
    try:
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        back = (session.values.get(way.redirect_field) if way.redirect_field else None) or redirect_uri
        address = oauth.authorize_address(
            session, redirect_uri=back, state=state, verifier=verifier if way.pkce else None
        )
    finally:
        session.transport.close()
    ConsentState.objects.filter(made_at__lt=timezone.now() - 6 * LIFETIME).delete()
    ConsentState.objects.create(
        digest=_digest(state), browser=browser.digest, user_id=browser.user_id, client=client, connector=connector,
        provider=provider, auth=way.name, redirect_uri=back,
        entered=json.dumps({"given": given, "verifier": verifier if way.pkce else None}),
    )  # fmt: skip
    return address


def start_again(*, connection: Connection, browser: Browser, redirect_uri: str) -> str:
    """The same for a connection that is there, with what is stored."""
    connector = connection.connector
    return start(
        client=connection.client, provider=connector.provider, auth=connector.auth, values=connector.values,
        entered={}, browser=browser, redirect_uri=redirect_uri, connector=connector,
    )  # fmt: skip


def callback(*, query: Mapping[str, str], browser: Browser, actor: Any) -> Activation:
    """What the vendor sent the browser back with (state, and code or error). Not to be called inside a transaction.

    A state that does not fit is used up where it is ours, and nothing is sent or changed.
    """
    begun = _taken(query.get("state", ""), browser)
    if begun is None:
        error = ConnectorError(Failure.SETUP, remedies.CONSENT_STATE, detail="the state does not fit", sent=False)
        return Activation(trouble=trouble_of(error), error=error)
    held = json.loads(begun.entered)
    recorder = ExchangeRecorder(organisation_id=begun.client.organisation_id)
    session: Session | None = None
    try:
        session, _way = _session(begun.client, begun.provider, begun.auth, held["given"], recorder)
        tokens = _exchanged(session, query, begun.redirect_uri, held["verifier"])
    except ConnectorError as error:
        return Activation(connector=begun.connector, trouble=trouble_of(error), error=error)
    finally:
        if session is not None:
            session.transport.close()
    consent = Consented(tokens=tokens, given=held["given"], recorder=recorder)
    return activate_consented(
        client=begun.client, provider=begun.provider, auth=begun.auth, consent=consent, actor=actor,
        connector=begun.connector,
    )  # fmt: skip


def _exchanged(session: Session, query: Mapping[str, str], redirect_uri: str, verifier: str | None) -> Tokens:
    if query.get("error"):
        raise oauth.refused_consent(session, query["error"], query.get("error_description", ""))
    code = query.get("code", "")
    if not code:
        raise ConnectorError(Failure.RECONNECT, remedies.CONSENT_STATE, detail="no code came back", sent=False)
    return oauth.exchanged(session, code=code, redirect_uri=redirect_uri, verifier=verifier)


def _taken(state: str, browser: Browser) -> ConsentState | None:
    """The begun consent, used up; None where there is none, or not for this browser, user and time."""
    with transaction.atomic():
        rows = ConsentState.objects.filter(pk=_digest(state), used_at=None)
        if not rows.update(used_at=timezone.now()):
            return None
        begun = ConsentState.objects.select_related("client__organisation", "connector").get(pk=_digest(state))
        fits = (begun.browser, begun.user_id) == (browser.digest, browser.user_id)
        if not fits:
            note(
                organisation_id=begun.client.organisation_id, actor=None, action="consent.refused",
                subject=begun.client, details={"provider": begun.provider, "user": browser.user_id},
            )  # fmt: skip
    return begun if fits and begun.made_at > timezone.now() - LIFETIME else None


def _session(
    client: Client, provider: str, auth: str, given: Mapping[str, str], recorder: ExchangeRecorder | None = None
) -> tuple[Session, OAuth2Code]:
    found, way = declared(provider, auth)
    if not isinstance(way, OAuth2Code):
        raise ConnectorError(Failure.SETUP, remedies.NOT_INSTALLED, detail=f"{way.name} needs no consent", sent=False)
    recorder = recorder or ExchangeRecorder(organisation_id=client.organisation_id)
    return candidate_session(provider=found, auth=way, given=given, client=client, recorder=recorder), way


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
