"""Tokens of OAuth kept: in the database for a connection, in its file for `connector ...`. One renewal at a time.

Nothing is held open while HTTP runs but a lease on the row. It is taken by compare-and-set, together with the mark that
a renewal is on its way, before anything is sent; the new pair is committed before it is used. A pair is kept although
its lease has ended meanwhile, as long as nobody has kept another: it is then the only good one.
"""

import fcntl
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.connectors import registry
from apps.connectors.models import Connection, OAuthGrant
from apps.connectors.sdk import remedies
from apps.connectors.sdk.auths import OAuth2Code
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import Refresh, Tokens, newer
from apps.connectors.troubles import trouble_of
from apps.core.scope import system_scope
from apps.notifications.actions import Trouble

LEASE_SECONDS = 80.0  # longer than a token request may last; settings.KONTOR_GRANT_LEASE_SECONDS
LONGEST_WAIT = 30.0  # for another process that renews
SHORTEST_POLL, LONGEST_POLL = 0.02, 0.5
REASON = "the grant of a session that is open; also from threads that have no scope"


def to_text(tokens: Tokens) -> str:
    return json.dumps(
        {
            "access_token": tokens.access_token,
            "expires_at": _iso(tokens.expires_at),
            "refresh_token": tokens.refresh_token,
            "refresh_expires_at": _iso(tokens.refresh_expires_at),
            "learnt": dict(tokens.learnt),
        }
    )


def from_text(text: str) -> Tokens | None:
    held = json.loads(text)
    if not held.get("access_token") and not held.get("refresh_token"):
        return None
    return Tokens(
        access_token=held.get("access_token") or "",
        expires_at=moment(held.get("expires_at")),
        refresh_token=held.get("refresh_token") or None,
        refresh_expires_at=moment(held.get("refresh_expires_at")),
        learnt=held.get("learnt") or {},
    )


class GrantTokens:
    """A connection's tokens in the database."""

    def __init__(self, connection_id: int) -> None:
        self.connection_id = connection_id

    def load(self) -> Tokens | None:
        row = self._row()
        return from_text(row.tokens) if row else None

    def renewed(self, used: Tokens | None, refresh: Refresh) -> Tokens:
        end, poll = time.monotonic() + LONGEST_WAIT, SHORTEST_POLL
        while True:
            row = self._row() or self._made()
            held = from_text(row.tokens)
            if held is not None and newer(held, used):
                return held
            lease = self._claimed(row)
            if lease:
                return self._sent(row, held, lease, refresh)
            if time.monotonic() > end:
                detail = "another process renews the tokens"
                raise ConnectorError(Failure.TRANSIENT, remedies.BUSY, detail=detail, retry_after=30, sent=False)
            time.sleep(poll)
            poll = min(LONGEST_POLL, poll * 1.5)

    def _sent(self, row: OAuthGrant, held: Tokens | None, lease: str, refresh: Refresh) -> Tokens:
        try:
            new = refresh(held, row.in_flight)
        except BaseException as error:
            # Sent, and no answer that tells: the token may be used up. Everything else leaves it as it was.
            passing = isinstance(error, ConnectorError) and error.failure is Failure.TRANSIENT
            unknown = not isinstance(error, ConnectorError) or (passing and error.sent)
            self._update(lease=lease, changes={"lease": "", "lease_until": 0.0, "in_flight": row.in_flight or unknown})
            other = self.load()
            if other is not None and (held is None or other.access_token != held.access_token):
                return other  # the renewal of somebody slow came through meanwhile
            raise
        return self._kept(row, new)

    def _kept(self, row: OAuthGrant, new: Tokens) -> Tokens:
        changes = {
            "tokens": to_text(new),
            "expires_at": new.expires_at,
            "refresh_expires_at": new.refresh_expires_at,
            "version": row.version + 1,
            "in_flight": False,
            "lease": "",
            "lease_until": 0.0,
        }
        if self._update(version=row.version, changes=changes):
            return new
        other = self.load()
        if other is None:  # given up meanwhile: what came must not be used
            raise ConnectorError(Failure.RECONNECT, remedies.CONSENT_MISSING, detail="withdrawn meanwhile")
        return other

    def _claimed(self, row: OAuthGrant) -> str:
        """The lease's name, or "" where somebody else has it or has changed the row."""
        now, lease = time.time(), uuid.uuid4().hex
        seconds = getattr(settings, "KONTOR_GRANT_LEASE_SECONDS", LEASE_SECONDS)
        # Further ahead than a lease is long: by a clock that was wrong. Twice, for hosts whose clocks differ.
        if row.lease and now < row.lease_until <= now + 2 * max(seconds, LEASE_SECONDS):
            return ""
        changes = {"lease": lease, "lease_until": now + seconds, "in_flight": True}
        same = {"version": row.version, "lease": row.lease, "in_flight": row.in_flight}
        return lease if self._update(changes=changes, **same) else ""

    def _row(self) -> OAuthGrant | None:
        with system_scope(REASON):
            found: OAuthGrant | None = OAuthGrant.objects.filter(pk=self.connection_id).first()
        return found

    def _made(self) -> OAuthGrant:
        with system_scope(REASON):
            OAuthGrant.objects.bulk_create([OAuthGrant(pk=self.connection_id)], ignore_conflicts=True)
        row = self._row()
        assert row is not None  # noqa: S101 - made here, or by another
        return row

    def _update(self, *, changes: dict[str, Any], **same: Any) -> bool:
        with system_scope(REASON):
            return bool(OAuthGrant.objects.filter(pk=self.connection_id, **same).update(**changes) == 1)


def keep_grant(connection: Connection, tokens: Tokens, actor: Any) -> None:
    """The tokens of a new consent take the place of those held. In the caller's transaction."""
    row, _made = OAuthGrant.objects.select_for_update(of=("self",)).get_or_create(connection=connection)
    row.tokens, row.expires_at, row.refresh_expires_at = to_text(tokens), tokens.expires_at, tokens.refresh_expires_at
    row.version += 1
    row.in_flight, row.lease, row.lease_until = False, "", 0.0
    row.consented_at, row.consented_by = timezone.now(), str(actor)[:254]
    row.save()


def consent_warning(connection: Connection) -> Trouble | None:
    """What to tell people some days before the consent ends by itself."""
    provider = registry.provider(connection.connector.provider)
    auth = provider.auth_named(connection.connector.auth)
    if not isinstance(auth, OAuth2Code):
        return None
    ends = OAuthGrant.objects.filter(pk=connection.pk).values_list("refresh_expires_at", flat=True).first()
    if ends is None or ends - auth.warn_before > timezone.now():
        return None
    remedy = replace(remedies.CONSENT_ENDS, code=f"{provider.slug}.consent_ends")
    day = ends.astimezone(connection.client.zone).date().isoformat()
    return trouble_of(ConnectorError(Failure.RECONNECT, remedy, facts={"day": day, "vendor": provider.label}))


class FileTokens:
    """Tokens in the file of `--values`: used as they are; a rotated pair is written back before it is used."""

    def __init__(self, path: Path, *, rotates: bool) -> None:
        self.path = path
        self.rotates = rotates  # else what is brought is for this process only
        self.held: Tokens | None = None

    def load(self) -> Tokens | None:
        return self.held or from_text(json.dumps(_fitting(_content(self.path))))

    def renewed(self, used: Tokens | None, refresh: Refresh) -> Tokens:
        if not self.rotates:
            self.held = refresh(self.load(), False)
            return self.held
        with _locked(self.path):
            held = self.load()
            if held is not None and newer(held, used):
                return held
            new = refresh(held, False)
            self._write(new)
            return new

    def _write(self, new: Tokens) -> None:
        content = _content(self.path)
        ends: str | float | None = _iso(new.expires_at)
        if isinstance(content.get("expires_at"), int | float) and new.expires_at is not None:
            ends = int(new.expires_at.timestamp())
        content |= {"access_token": new.access_token, "refresh_token": new.refresh_token, "expires_at": ends}
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def _fitting(content: dict[str, Any]) -> dict[str, Any]:
    return {name: content.get(name) for name in ("access_token", "refresh_token", "expires_at")}


def _content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file against other processes. It is replaced when written: the lock must be on the one that is there."""
    while True:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                yield
                return


def moment(value: object) -> datetime | None:
    """A time from ISO text or seconds since the epoch; a text without a zone is UTC."""
    if value in (None, ""):
        return None
    with suppress(ValueError):
        return datetime.fromtimestamp(float(str(value)), UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
