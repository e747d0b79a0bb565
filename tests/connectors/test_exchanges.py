"""What is kept of a call: encrypted at rest, identical pages once, readable for people as before."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import InvalidToken
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from apps.connectors.exchanges import ExchangeRecorder, body_of, keep_payload
from apps.connectors.models import Exchange, ExchangePayload, PayloadKey
from apps.connectors.sdk.session import Exchange as Made
from apps.core.scope import system_scope
from tests.factories import OrganisationFactory

NAME = "Kari Nordmann, Storgata 1"
OTHER_KEY = "another-fernet-key-of-the-tests-0123456789"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def made(body: bytes = NAME.encode(), **more: Any) -> Made:
    values: dict[str, Any] = {
        "at": datetime(2026, 11, 20, tzinfo=UTC),
        "method": "GET",
        "url": f"https://vendor.example/api/customers?name={NAME}",
        "status": 200,
        "seconds": 0.1,
        "request_headers": {"X-Person": NAME},
        "request_body": NAME.encode(),
        "headers": {},
        "body": body,
        "error": f"no answer about {NAME}",
    }
    return Made(**{**values, **more})


def raw(table: str) -> bytes:
    """Every cell of a table as the database has it."""
    with database.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - our own tables
        cells = [cell for row in cursor.fetchall() for cell in row]
    return b"\n".join(bytes(c) if isinstance(c, bytes | memoryview) else str(c).encode() for c in cells)


def test_a_call_is_encrypted_but_for_the_place_that_was_asked(db: None) -> None:
    organisation = OrganisationFactory()

    ExchangeRecorder(organisation_id=organisation.pk)(made())

    kept = Exchange.objects.get()
    assert kept.url == f"https://vendor.example/api/customers?name={NAME}"
    assert NAME in kept.request
    assert NAME in kept.error
    assert body_of(kept) == NAME.encode()
    assert kept.place == "https://vendor.example/api/customers"
    stored = raw("connectors_exchange") + raw("connectors_exchangepayload")
    assert b"vendor.example/api/customers" in stored  # the search finds what is in clear
    assert b"Nordmann" not in stored
    assert b"Storgata" not in stored


def test_an_identical_page_is_kept_once_also_after_the_keys_were_changed(db: None, settings: Any) -> None:
    organisation = OrganisationFactory()
    first = keep_payload(organisation.pk, b"page")

    settings.FERNET_KEYS = [OTHER_KEY, *settings.FERNET_KEYS]
    settings.SECRET_KEY = "another-secret-key-of-the-tests-0123456789-0123456789"

    assert keep_payload(organisation.pk, b"page") == first
    assert keep_payload(organisation.pk, b"another page") != first
    assert keep_payload(OrganisationFactory().pk, b"page") != first
    assert len(set(ExchangePayload.objects.values_list("digest", flat=True))) == 3
    assert PayloadKey.objects.count() == 2


def test_without_its_key_a_payload_is_not_read(db: None, settings: Any) -> None:
    keep_payload(OrganisationFactory().pk, b"page")
    settings.FERNET_KEYS = [OTHER_KEY]

    with pytest.raises(InvalidToken):
        ExchangePayload.objects.get()


def test_a_page_seen_again_counts_its_days_anew(db: None, settings: Any) -> None:
    settings.KONTOR_PAYLOAD_DAYS = 1
    organisation = OrganisationFactory()
    pk = keep_payload(organisation.pk, b"page")
    ExchangePayload.objects.update(kept_at=timezone.now() - timedelta(hours=13))

    assert keep_payload(organisation.pk, b"page") == pk

    assert timezone.now() - ExchangePayload.objects.get().kept_at < timedelta(minutes=1)


def test_what_was_kept_in_clear_is_encrypted_by_the_migration(transactional_db: None) -> None:
    organisation = OrganisationFactory()
    executor = MigrationExecutor(database)
    here = executor.loader.graph.leaf_nodes()
    try:
        executor.migrate([("connectors", "0006_oauth")])
        old = executor.loader.project_state([("connectors", "0006_oauth")]).apps
        import zlib

        body = old.get_model("connectors", "ExchangePayload")._base_manager.create(
            organisation_id=organisation.pk, digest="0" * 64, body=zlib.compress(NAME.encode())
        )
        for number in range(3):
            old.get_model("connectors", "Exchange")._base_manager.create(
                organisation_id=organisation.pk, at=timezone.now(), method="GET", seconds=0.1, payload_id=body.pk,
                url=f"https://vendor.example/{number}?name={NAME}", request=NAME, error=NAME,
            )  # fmt: skip
    finally:
        executor = MigrationExecutor(database)
        executor.migrate(here)

    rows = list(Exchange.objects.order_by("pk"))
    assert [row.place for row in rows] == [f"https://vendor.example/{number}" for number in range(3)]
    assert {(row.url.split("?")[1], row.request, row.error) for row in rows} == {(f"name={NAME}", NAME, NAME)}
    assert {body_of(row) for row in rows} == {NAME.encode()}
    assert b"Nordmann" not in raw("connectors_exchange") + raw("connectors_exchangepayload")
    assert keep_payload(organisation.pk, NAME.encode()) == body.pk


def test_the_cost_is_told(db: None) -> None:
    """Bytes kept per page: packed, then encrypted; base64 would take a third more."""
    page = json.dumps([{"id": number, "name": f"{NAME} {number}", "amount": number * 37} for number in range(1000)])
    import zlib

    packed = len(zlib.compress(page.encode(), 1))
    keep_payload(OrganisationFactory().pk, page.encode())

    with database.cursor() as cursor:
        cursor.execute("SELECT length(body) FROM connectors_exchangepayload")
        (stored,) = cursor.fetchone()
    assert packed < stored <= packed + 73  # version, time, IV, padding, HMAC
