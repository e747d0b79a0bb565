from typing import Any

import pytest
from django.test import Client as Browser


def test_healthz_asks_no_database() -> None:
    """Without a database mark, a query would fail the test."""
    answer = Browser().get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_is_fine_when_everything_is() -> None:
    answer = Browser().get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "failing": []})


@pytest.mark.django_db
def test_readyz_names_a_migration_that_was_not_applied() -> None:
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="sync").order_by("-pk")[0].delete()

    answer = Browser().get("/readyz")

    assert (answer.status_code, answer.json()["failing"]) == (503, ["migrations"])


@pytest.mark.django_db
def test_readyz_names_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError, connection

    def refuse(*_arguments: Any) -> Any:
        raise OperationalError("secret detail")

    monkeypatch.setattr(connection, "cursor", refuse)

    answer = Browser().get("/readyz")

    assert (answer.status_code, answer.json()["failing"]) == (503, ["database", "migrations"])
    assert b"secret detail" not in answer.content
