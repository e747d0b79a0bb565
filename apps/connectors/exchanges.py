"""Keeps what went out and came back for people to read. What comes here is masked already; it is kept encrypted."""

import hashlib
import hmac
import secrets
import zlib
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.utils import timezone

from apps.connectors.models import Connection, Exchange, ExchangePayload, PayloadKey
from apps.connectors.sdk.session import Exchange as Made
from apps.core.scope import system_scope

LARGEST_KEPT = 8 * 2**20  # bytes compressed; settings.KONTOR_KEPT_PAYLOAD_BYTES
LONGEST_REQUEST = 64 * 1024
FRESH = timedelta(days=1)  # at most: `kept_at` is written again when it is older


class ExchangeRecorder:
    """A session's recorder. `last_exchange_id` is the call made last; a voucher's proof names it."""

    def __init__(self, *, organisation_id: int, connection_id: int | None = None, run_id: int | None = None) -> None:
        self.organisation_id = organisation_id
        self.connection_id = connection_id
        self.run_id = run_id
        self.last_exchange_id: int | None = None
        self._unattached: list[int] = []
        self._key = b""

    def __call__(self, made: Made) -> None:
        with system_scope("a call of this session; also from threads that have no scope"):
            self.last_exchange_id = self._kept(made).pk
        if self.connection_id is None:
            self._unattached.append(self.last_exchange_id)

    def _kept(self, made: Made) -> Exchange:
        kept: Exchange = Exchange.objects.create(
            organisation_id=self.organisation_id,
            connection_id=self.connection_id,
            run_id=self.run_id,
            at=made.at,
            method=made.method,
            place=_storable(urlunsplit(urlsplit(made.url)._replace(query="", fragment=""))),
            url=_storable(made.url),
            status=made.status,
            seconds=round(made.seconds, 3),
            size=len(made.body),
            request=_storable(_request(made)),
            error=_storable(made.error),
            payload_id=self._payload(made.body) if made.body else None,
        )
        return kept

    def _payload(self, body: bytes) -> int | None:
        self._key = self._key or payload_key(self.organisation_id)
        return keep_payload(self.organisation_id, body, key=self._key)

    def attach(self, connection: Connection) -> None:
        """The calls were made before their connection had a row."""
        Exchange.objects.filter(pk__in=self._unattached).update(connection=connection)
        self.connection_id = connection.pk
        self._unattached.clear()


def payload_key(organisation_id: int) -> bytes:
    """What the organisation's digests are made with; made on first use, one for all processes."""
    made = PayloadKey(organisation_id=organisation_id, key=secrets.token_hex(32))
    rows = PayloadKey.objects.filter(pk=organisation_id)
    held = rows.first()
    if held is None:
        PayloadKey.objects.bulk_create([made], ignore_conflicts=True)
        held = rows.get()
    return bytes.fromhex(held.key)


def keep_payload(organisation_id: int, body: bytes, *, key: bytes = b"") -> int | None:
    """The row that keeps the body, one for identical bodies of an organisation; None for one too large to keep."""
    digest = hmac.new(key or payload_key(organisation_id), body, hashlib.sha256).hexdigest()
    rows = ExchangePayload.objects.filter(organisation_id=organisation_id, digest=digest)
    held = rows.values_list("pk", "kept_at").first()
    # Its days are counted from when it was seen last; not refreshed: the purge has just taken it.
    fresh = min(FRESH, timedelta(days=settings.KONTOR_PAYLOAD_DAYS) / 2)
    if held is not None and (held[1] >= timezone.now() - fresh or rows.update(kept_at=timezone.now())):
        return int(held[0])
    packed = zlib.compress(body, 1)
    if len(packed) > getattr(settings, "KONTOR_KEPT_PAYLOAD_BYTES", LARGEST_KEPT):
        return None
    row = ExchangePayload(organisation_id=organisation_id, digest=digest, body=packed)
    ExchangePayload.objects.bulk_create([row], ignore_conflicts=True)
    found: int | None = rows.values_list("pk", flat=True).first()
    return found


def body_of(exchange: Exchange) -> bytes | None:
    """The answer's body as it was kept (masked); None where it was not kept, or no longer is."""
    return None if exchange.payload is None else zlib.decompress(exchange.payload.body)


def _request(made: Made) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in made.request_headers.items())
    body = made.request_body[:LONGEST_REQUEST].decode("utf-8", "replace")
    return f"{headers}\n{body}" if body else headers


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL takes no NUL in a text
