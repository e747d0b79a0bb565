"""Consent: a person is sent to the vendor's page, and what comes back is taken once. Given up again: `withdraw`.

It must come in the same browser, for the same user, connector and client; and the company behind the new tokens is
compared before they are kept.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions.activation import Activation, Consented, activate_consented
from apps.connectors.enums import ConnectionState
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.grants import from_text
from apps.connectors.models import Connection, Connector, ConsentState, OAuthGrant
from apps.connectors.sdk import oauth, remedies
from apps.connectors.sdk.auths import OAuth2Code, consent_of
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sdk.session import Session
from apps.connectors.sessions import answered, candidate_session, declared, open_session, secrets_held
from apps.connectors.troubles import trouble_of

LIFETIME = timedelta(minutes=10)
log = logging.getLogger(__name__)


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

    Nothing is stored but the begun consent. Raises ConnectorError (SETUP) for fields that do not fit. A connection's
    own fields may be left out where the consent tells them.
    """
    stored = secrets_held(connector)
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
    ConsentState.objects.create(
        digest=_digest(state), browser=browser.digest, user_id=browser.user_id, client=client, connector=connector,
        provider=provider, auth=declared(provider, auth)[1].name, redirect_uri=back,
        entered=json.dumps({"given": given, "verifier": verifier if way.pkce else None}),
    )  # fmt: skip
    return address


def start_again(*, connection: Connection, browser: Browser, redirect_uri: str) -> str:
    """The same for a connection that is there, with what is stored."""
    connector = connection.connector
    return start(
        client=connection.client, provider=connector.provider, auth=connector.auth,
        values={**connector.values, **connection.values}, entered={}, browser=browser, redirect_uri=redirect_uri,
        connector=connector,
    )  # fmt: skip


def callback(
    *, query: Mapping[str, str], browser: Browser, actor: Any, may: Callable[[int], bool] = lambda _organisation: True
) -> Activation:
    """What the vendor sent the browser back with (state, and code or error). Not to be called inside a transaction.

    A state that does not fit is used up where it is ours, and nothing is sent or changed. `may`: whether the person
    still works for that organisation.
    """
    begun, held = _taken(query.get("state", ""), browser, may)
    if begun is None:
        return _unknown()
    if held is None:
        return replace(_unknown(), client=begun.client, connector=begun.connector, connection=_connection(begun))
    recorder = ExchangeRecorder(organisation_id=begun.client.organisation_id)
    session: Session | None = None
    try:
        session, _way = _session(begun.client, begun.provider, begun.auth, held["given"], recorder)
        tokens = _exchanged(session, query, begun.redirect_uri, held["verifier"])
    except ConnectorError as error:
        connection = _connection(begun)
        if connection is not None:
            recorder.attach(connection)
        return Activation(
            connector=begun.connector, connection=connection, client=begun.client, trouble=trouble_of(error),
            error=error,
        )  # fmt: skip
    finally:
        if session is not None:
            session.transport.close()
    consent = Consented(tokens=tokens, given=held["given"], recorder=recorder)
    outcome = activate_consented(
        client=begun.client, provider=begun.provider, auth=begun.auth, consent=consent, actor=actor,
        connector=begun.connector,
    )  # fmt: skip
    return replace(outcome, client=begun.client)


def withdraw(*, connection: Connection, actor: Any) -> bool:
    """Give the consent up: its tokens are gone at once, and the vendor is told as well as it can be.

    True where the vendor confirmed it. Not to be called inside a transaction.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        grant = OAuthGrant.objects.filter(pk=row.pk).first()
        tokens = from_text(grant.tokens) if grant is not None else None
        if grant is not None:
            grant.delete()
        if row.state == ConnectionState.ACTIVE:
            row.state = ConnectionState.NEW
            row.save(update_fields=["state"])
        _note(row, actor, "consent.withdrawn")
    connection.refresh_from_db()
    told, why = _revoked(connection, tokens) if tokens is not None else (False, "nothing to revoke")
    _note(connection, actor, "consent.revoked" if told else "consent.not_revoked", **({} if told else {"why": why}))
    return told


def _revoked(connection: Connection, tokens: Tokens) -> tuple[bool, str]:
    """Whether the vendor took the tokens back, else why not. Whatever happens there, ours are gone already."""
    try:
        session = open_session(connection)
        try:
            told = answered(session, lambda: oauth.revoke(session, tokens))
        finally:
            session.transport.close()
    except ConnectorError as error:
        log.warning("%s: the vendor was not told of a consent that was withdrawn: %s", connection, error.remedy.code)
        return False, error.remedy.code
    return told, "" if told else "the vendor offers no place for it, or refused"


def _unknown() -> Activation:
    error = ConnectorError(Failure.SETUP, remedies.CONSENT_STATE, detail="the state does not fit", sent=False)
    return Activation(trouble=trouble_of(error), error=error)


def _connection(begun: ConsentState) -> Connection | None:
    """The connection that the consent was meant for, where there is one already."""
    rows = Connection.objects.filter(client=begun.client, connector__provider=begun.provider).select_related("client")
    found: Connection | None = (rows.filter(connector=begun.connector) if begun.connector_id else rows).first()
    return found


def _note(connection: Connection, actor: Any, action: str, **details: str) -> None:
    organisation_id = connection.connector.organisation_id
    note(organisation_id=organisation_id, actor=actor, action=action, subject=connection, details=details)


def _exchanged(session: Session, query: Mapping[str, str], redirect_uri: str, verifier: str | None) -> Tokens:
    if query.get("error"):
        raise oauth.refused_consent(session, query["error"], query.get("error_description", ""))
    code = query.get("code", "")
    if not code:
        raise ConnectorError(Failure.RECONNECT, remedies.CONSENT_STATE, detail="no code came back", sent=False)
    return oauth.exchanged(session, code=code, redirect_uri=redirect_uri, verifier=verifier)


def _taken(
    state: str, browser: Browser, may: Callable[[int], bool]
) -> tuple[ConsentState | None, dict[str, Any] | None]:
    """The user's own begun consent, used up, and what was entered for it; that only in time and in the same browser."""
    rows = ConsentState.objects.select_related("client__organisation", "connector").filter(pk=_digest(state))
    with transaction.atomic():
        begun = rows.first()
        if begun is None or not may(begun.client.organisation_id):
            return None, None
        first = bool(rows.filter(used_at=None).update(used_at=timezone.now(), entered="{}"))
        fits = (begun.browser, begun.user_id) == (browser.digest, browser.user_id)
        if first and not fits:
            note(
                organisation_id=begun.client.organisation_id, actor=None, action="consent.refused",
                subject=begun.client, details={"provider": begun.provider, "user": browser.user_id},
            )  # fmt: skip
    good = first and fits and begun.made_at > timezone.now() - LIFETIME
    return (begun if begun.user_id == browser.user_id else None), (json.loads(begun.entered) if good else None)


def _session(
    client: Client, provider: str, auth: str, given: Mapping[str, str], recorder: ExchangeRecorder | None = None
) -> tuple[Session, OAuth2Code]:
    """A session for the consent itself: its fields only."""
    found, chosen = declared(provider, auth)
    way = consent_of(chosen)
    if way is None:
        raise ConnectorError(Failure.SETUP, remedies.NOT_INSTALLED, detail=f"{chosen.name} has no consent", sent=False)
    recorder = recorder or ExchangeRecorder(organisation_id=client.organisation_id)
    return candidate_session(provider=found, auth=way, given=given, client=client, recorder=recorder), way


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
