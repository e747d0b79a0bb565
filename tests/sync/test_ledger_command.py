"""`manage.py ledger ...`: what other programs rely on (COMMANDS)."""

import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.flows.models import Feed
from apps.formats.sie import read_sie
from apps.ledger.models import Voucher
from tests import factories
from tests.conftest import Manage

pytestmark = pytest.mark.django_db

FILE = """#FLAGGA 0
#SIETYP 4
#ORGNR 556265-1892
#FNAMN Liten
#RAR 0 20260101 20261231
#DIM 1 Avdelning
#OBJEKT 1 20 Syd
#KONTO 1930 Bank
#KONTO 3010 Sales
#IB 0 1930 0.00
#UB 0 1930 100.00
#RES 0 3010 -99.00
#VER A 1 20260110
{
#TRANS 1930 {} 100.00
#TRANS 3010 {1 20} -100.00
}
#VER A 2 20260211
{
#TRANS 1930 {} 5.00
#TRANS 3010 {} -4.00
}
"""


@pytest.fixture
def client() -> Client:
    made: Client = factories.ClientFactory(number="41", country="SE", organisation__slug="north")
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "liten.se"
    path.write_text(FILE)
    return path


@pytest.fixture
def scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def run(*arguments: str, lines: bool = False) -> Any:
    out = io.StringIO()
    call_command("ledger", *arguments, "--json", stdout=out, stderr=io.StringIO())
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return found if lines else found[-1]


def failure(*arguments: str) -> dict[str, Any]:
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("ledger", *arguments, "--json", stdout=io.StringIO(), stderr=err)
    assert ended.value.code == 1
    told: dict[str, Any] = json.loads(err.getvalue().splitlines()[-1])
    return told


def test_import_prints_the_outcome(client: Client, path: Path) -> None:
    told = run("import", "--client", "41", str(path))
    assert {name: told[name] for name in told if name != "warnings"} == {
        "accounts": 2,
        "vouchers": 1,
        "postings": 2,
        "kept_out": [{"series": "A", "number": "2", "date": "2026-02-11", "difference": "1.00"}],
        "differences": [{"account": "3010", "amount": "1.00"}],
    }
    assert len(told["warnings"]) == 1


def test_balances_are_a_line_for_each_account_and_period(client: Client, path: Path) -> None:
    run("import", "--client", "41", str(path))
    assert run("balances", "--client", "north/41", "--from", "2026-01", "--to", "2026-02", lines=True) == [
        {"account": "1930", "period": "2026-01", "opening": "0.00", "debit": "100.00", "credit": "0.00",
         "movement": "100.00", "closing": "100.00"},
        {"account": "1930", "period": "2026-02", "opening": "100.00", "debit": "0.00", "credit": "0.00",
         "movement": "0.00", "closing": "100.00"},
        {"account": "3010", "period": "2026-01", "opening": "0.00", "debit": "0.00", "credit": "100.00",
         "movement": "-100.00", "closing": "-100.00"},
        {"account": "3010", "period": "2026-02", "opening": "-100.00", "debit": "0.00", "credit": "0.00",
         "movement": "0.00", "closing": "-100.00"},
    ]  # fmt: skip


def test_balances_by_a_dimension_carry_its_code(client: Client, path: Path) -> None:
    run("import", "--client", "41", str(path))
    lines = run(
        "balances", "--client", "41", "--from", "2026-01", "--to", "2026-01", "--by", "account,cost_centre", lines=True
    )
    assert [(line["account"], line["cost_centre"], line["movement"]) for line in lines] == [
        ("1930", None, "100.00"),
        ("3010", "20", "-100.00"),
    ]


def test_balances_refuse_a_dimension_that_is_not_there(client: Client) -> None:
    with pytest.raises(CommandError, match="colour") as refused:
        run("balances", "--client", "41", "--from", "2026-01", "--to", "2026-01", "--by", "account,colour")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(("first", "last"), [("2026-1", "2026-02"), ("2026-14", "2026-14"), ("2026-03", "2026-02")])
def test_periods_that_are_none_are_wrong_use(client: Client, first: str, last: str) -> None:
    with pytest.raises(CommandError):
        run("balances", "--client", "41", "--from", first, "--to", last)


def test_recalculate_says_how_many_balances(client: Client, path: Path) -> None:
    run("import", "--client", "41", str(path))
    assert run("recalculate", "--client", "41") == {"client": "41", "full": False, "cells": 0}
    assert run("recalculate", "--client", "41", "--full") == {"client": "41", "full": True, "cells": 2}


def test_text_names_what_was_kept_out_and_what_differs(client: Client, path: Path) -> None:
    out = io.StringIO()
    call_command("ledger", "import", "--client", "41", str(path), stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "2 accounts, 1 vouchers, 2 postings"
    assert "kept out: voucher A 2 of 2026-02-11, off by 1.00" in lines
    assert "differs: account 3010, file minus ours 1.00" in lines
    assert lines[-1] == "not complete"


def test_file_that_does_not_end_fails_with_its_line(client: Client, path: Path, scope: None) -> None:
    path.write_text(FILE.rstrip().removesuffix("}"))
    told = failure("import", "--client", "41", str(path))
    assert told["failure"] == "record"
    assert "line 18" in told["detail"]
    assert Voucher.objects.count() == 0


def test_file_of_another_company_fails_and_names_both(client: Client, path: Path, scope: None) -> None:
    Client.objects.filter(pk=client.pk).update(organisation_number="5560360793")
    told = failure("import", "--client", "41", str(path))
    assert told["remedy"] == "file.wrong_company"
    assert "556265-1892" in told["detail"]
    assert "5560360793" in told["detail"]
    assert Voucher.objects.count() == 0


def test_a_file_is_read_before_anything_is_locked(client: Client, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes meanwhile waits for the writing only."""
    seen: list[int] = []

    def read(data: bytes) -> Any:
        seen.append(len(connection.savepoint_ids))
        return read_sie(data)

    monkeypatch.setattr("apps.sync.imports.read_sie", read)
    monkeypatch.setattr("apps.ledger.files.read_sie", read)
    before = len(connection.savepoint_ids)
    run("import", "--client", "41", str(path))
    assert seen == [before]


def test_days_of_a_feed_are_taken_over_on_purpose_only(client: Client, path: Path, scope: None) -> None:
    feed = factories.FeedFactory(connection__client=client)
    told = failure("import", "--client", "41", str(path))
    assert told["remedy"] == "file.owned_period"
    assert Voucher.objects.count() == 0
    run("import", "--client", "41", str(path), "--replace")
    assert Feed.objects.get(pk=feed.pk).valid_from == date(2027, 1, 1)


def test_feed_that_has_days_on_both_sides_of_the_file_is_not_split(client: Client, path: Path, scope: None) -> None:
    factories.FeedFactory(connection__client=client, valid_from=date(2025, 1, 1))
    told = failure("import", "--client", "41", str(path), "--replace")
    assert told["remedy"] == "file.splits_feed"
    assert Voucher.objects.count() == 0


def test_feed_that_ends_with_the_file_ends_before_it(client: Client, path: Path, scope: None) -> None:
    feed = factories.FeedFactory(connection__client=client, valid_from=date(2025, 1, 1), valid_to=date(2026, 6, 30))
    run("import", "--client", "41", str(path), "--replace")
    assert Feed.objects.get(pk=feed.pk).valid_to == date(2025, 12, 31)


def test_number_that_two_bureaus_use_needs_the_bureau(client: Client) -> None:
    factories.ClientFactory(number="41", organisation__slug="south")
    with pytest.raises(CommandError, match="north/41, south/41") as refused:
        run("recalculate", "--client", "41")
    assert refused.value.returncode == 2
    assert run("recalculate", "--client", "south/41")["cells"] == 0


@pytest.mark.parametrize("name", ["42", "west/41"])
def test_client_that_is_not_there_is_wrong_use(client: Client, name: str) -> None:
    with pytest.raises(CommandError, match=name) as refused:
        run("recalculate", "--client", name)
    assert refused.value.returncode == 2


def test_file_that_is_not_there_is_wrong_use(client: Client, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file") as refused:
        run("import", "--client", "41", str(tmp_path / "none.se"))
    assert refused.value.returncode == 2


def test_exit_codes_of_the_process(manage: Manage, path: Path) -> None:
    add = ("client", "add", "--organisation", "north", "--number", "41", "--name", "Liten", "--country", "SE")
    assert json.loads(manage(*add, "--json").stdout)["created"] is True
    assert json.loads(manage("ledger", "import", "--client", "41", str(path), "--json").stdout)["vouchers"] == 1
    path.write_text("no ledger file")
    failed = manage("ledger", "import", "--client", "41", str(path), "--json", check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert json.loads(failed.stderr.splitlines()[-1])["failure"] == "record"
    assert manage("ledger", "import", "--client", "7", str(path), check=False).returncode == 2
    assert manage("ledger", "balances", "--client", "41", "--from", "x", "--to", "y", check=False).returncode == 2
