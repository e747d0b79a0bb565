"""Keys are changed while Kontor works: every encrypted column, no newer value lost, and what is left is told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.db import connection as database
from django.db import models
from fernet_fields import hkdf

from apps.connectors.exchanges import keep_payload
from apps.connectors.models import ConnectorSecret, ExchangePayload
from apps.core import rotation
from apps.core.fields import SafeEncryptedText
from apps.core.scope import system_scope
from tests.conftest import Manage
from tests.factories import ConnectorFactory, OrganisationFactory

NEW = "the-new-fernet-key-of-the-tests-0123456789"


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def secret(text: str = "{}") -> ConnectorSecret:
    found: ConnectorSecret = ConnectorSecret.objects.create(connector=ConnectorFactory(), fields=text)
    return found


def rotated(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """The command's last line."""
    ended = 0
    try:
        call_command("rotate_keys", "--json", *arguments)
    except SystemExit as stop:
        ended = int(stop.code or 0)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ended == code, lines
    found: dict[str, Any] = lines[-1]
    return found


def plant(pk: int, key: str, text: str = "planted") -> None:
    token = Fernet(hkdf.derive_fernet_key(key)).encrypt(text.encode())
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE connectors_connectorsecret SET fields = %s WHERE connector_id = %s",
            [database.Database.Binary(token), pk],
        )


def test_every_encrypted_column_of_every_model_is_walked() -> None:
    named = {column.label for column in rotation.columns()}
    expected = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if type(field).__name__.startswith(("SafeEncrypted", "Encrypted"))
    }
    assert named == expected
    assert {
        "connectors.ConnectorSecret.fields", "connectors.ConnectorSecret.issued", "connectors.OAuthGrant.tokens",
        "connectors.ConsentState.entered", "connectors.ExchangePayload.body", "connectors.Exchange.url",
        "connectors.Exchange.request", "connectors.Exchange.error", "connectors.PayloadKey.key",
    } <= named  # fmt: skip


def test_everything_is_read_with_the_new_key_alone(db: None, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = [secret(f"secret {number}") for number in range(450)]  # more than are looked up at once
    payload = keep_payload(OrganisationFactory().pk, b"a page")
    settings.FERNET_KEYS = [NEW, *settings.FERNET_KEYS]

    before = rotated(capsys, "--check", code=1)
    told = rotated(capsys)
    again = rotated(capsys)

    assert before == {"proven": False, "values": 902, "rewritten": 0, "old": 902, "unreadable": 0}
    assert told == {"proven": True, "values": 902, "rewritten": 902, "old": 0, "unreadable": 0}
    assert again["rewritten"] == 0
    settings.FERNET_KEYS = [NEW]
    assert [row.fields for row in ConnectorSecret.objects.order_by("pk")] == [f"secret {n}" for n in range(450)]
    assert ConnectorSecret.objects.count() == len(made)
    assert ExchangePayload.objects.get(pk=payload).body


def test_a_value_of_a_missing_key_is_told(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    plant(secret().pk, "a-key-that-nobody-has-any-more-0123456789")

    assert rotated(capsys, code=1)["unreadable"] == 1
    assert rotated(capsys, "--check", code=1)["unreadable"] == 1


def test_an_old_value_planted_after_the_rotation_makes_the_proof_fail(
    db: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old = settings.FERNET_KEYS[0]
    row = secret()
    settings.FERNET_KEYS = [NEW, old]
    rotated(capsys)

    plant(row.pk, old)

    assert rotated(capsys, "--check", code=1)["old"] == 1


def test_what_somebody_writes_meanwhile_stays(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The value changes after it was read and before it is written back; once with the new key, once with the old."""
    old = settings.FERNET_KEYS[0]
    rows = [secret("before"), secret("before")]
    settings.FERNET_KEYS = [NEW, old]
    real, changed = rotation._replaced, []

    def interrupted(column: Any, pk: Any, read: bytes, new: bytes) -> bool:
        if column.label.endswith("ConnectorSecret.fields") and pk not in changed:
            changed.append(pk)
            plant(pk, NEW if pk == rows[0].pk else old, "written meanwhile")
        return real(column, pk, read, new)

    monkeypatch.setattr(rotation, "_replaced", interrupted)

    assert rotated(capsys)["proven"] is True
    assert changed == [row.pk for row in rows]
    assert set(ConnectorSecret.objects.values_list("fields", flat=True)) == {"written meanwhile"}


def test_a_deleted_row_and_an_empty_column_are_passed_over(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = secret("")
    settings.FERNET_KEYS = [NEW, *settings.FERNET_KEYS]
    real = rotation._replaced

    def gone(column: Any, pk: Any, read: bytes, new: bytes) -> bool:
        ConnectorSecret.objects.filter(pk=row.pk).delete()
        return real(column, pk, read, new)

    monkeypatch.setattr(rotation, "_replaced", gone)
    assert rotated(capsys) == {"proven": True, "values": 0, "rewritten": 0, "old": 0, "unreadable": 0}


def test_large_values_are_not_held_all_at_once() -> None:
    sizes = [(number, rotation.BYTES // 2) for number in range(5)]
    assert list(rotation._portions(sizes)) == [[0, 1], [2, 3], [4]]
    assert list(rotation._portions([(1, 10 * rotation.BYTES), (2, 1)])) == [[1], [2]]


def test_a_field_of_the_library_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from fernet_fields import EncryptedTextField

    from apps.core.checks import encrypted_fields

    assert encrypted_fields(None) == []
    field = EncryptedTextField(name="planted")
    shown = [*ConnectorSecret._meta.local_concrete_fields, field]
    monkeypatch.setitem(ConnectorSecret._meta.__dict__, "local_concrete_fields", shown)
    assert "kontor.E011" in {message.id for message in encrypted_fields(None)}
    assert not isinstance(field, SafeEncryptedText)
    assert isinstance(field, models.Field)


def test_wrong_use_and_words_for_people(manage: Manage) -> None:
    assert manage("rotate_keys", "--nonsense", check=False).returncode == 2
    assert "The others may be removed" in manage("rotate_keys").stdout
