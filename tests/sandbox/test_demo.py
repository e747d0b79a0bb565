"""The demo command in a process of its own: what its last line says, and that no fault ever looks green."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone

from apps.clients.models import Client
from apps.ledger.models import FiscalYear, LedgerState, Posting, Voucher
from apps.ledger.reports import balance_sheet
from apps.notifications.models import Problem
from apps.organisations.models import Organisation, User
from apps.sandbox.story import COMPLETE, STORIES, load_story
from apps.sync.models import Run
from tests.conftest import DATABASE, Manage
from tests.factories import ClientFactory

VOUCHERS = 40
FAULTY = "1001"  # the first client of the first story that is complete otherwise


@pytest.fixture
def scope(db: None) -> Any:
    from apps.core.scope import system_scope

    with system_scope("tests"):
        yield


def demo(manage: Manage, folder: Path, *options: str) -> dict[str, Any]:
    """The summary: the last line of stdout."""
    environment = {"KONTOR_LOCAL_DIR": str(folder), "KONTOR_DEMO_VOUCHERS": str(VOUCHERS), "KONTOR_TICK_SECONDS": "0.5"}
    done = manage("demo", "--no-server", "--reset", "--json", *options, timeout=200, **environment)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


EXPECTED = [
    {"code": "connector.wrong_company", "clients": ["1012"]},
    {"code": "tripletex.company_not_opened", "clients": ["1010"]},
]


def test_two_nights_agree_with_their_source_to_the_cent(manage: Manage, scope: None, tmp_path: Path) -> None:
    left_over = ClientFactory(organisation__slug="nordvik", number="9999")

    told = demo(manage, tmp_path)

    story = load_story(STORIES / "nordvik.toml", timezone.localdate(), VOUCHERS)
    assert told == {
        "clients": 12,
        "clients_complete": 10,
        "runs": {"succeeded": 20, "failed": 4},
        "vouchers": Voucher.objects.filter(deleted_at=None).count(),
        "postings": Posting.objects.count(),
        "control_difference": "0.00",
        "not_provable": 0,
        "problems": EXPECTED,
        "moved": dict(story.moved),
    }
    assert list(told) == [
        "clients", "clients_complete", "runs", "vouchers", "postings", "control_difference", "not_provable", "problems",
        "moved",
    ]  # fmt: skip
    announced = {client.number: client.expect for client in story.clients if client.expect != COMPLETE}
    assert announced == {problem["clients"][0]: problem["code"] for problem in EXPECTED}
    assert told["vouchers"] > 10 * VOUCHERS
    assert Posting.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert not Run.objects.filter(state__in=("queued", "running")).exists()
    assert User.objects.count() == 1
    assert not Client.objects.filter(number=left_over.number).exists()  # --reset
    sheets = [balance_sheet(year.client, year.end) for year in FiscalYear.objects.select_related("client")]
    assert len(sheets) == 20
    assert {sheet.rest for sheet in sheets} == {0}
    assert any(sheet.earlier_result for sheet in sheets)  # one client has not transferred its result


@pytest.mark.skipif(DATABASE != "sqlite", reason="faults are in the source: one database shows them")
@pytest.mark.parametrize("fault", ["drop-voucher", "drop-page", "one-cent", "hide-account"])
def test_a_fault_costs_one_client_its_grade_and_names_account_period_and_difference(
    manage: Manage, scope: None, tmp_path: Path, fault: str
) -> None:
    told = demo(manage, tmp_path, "--fault", fault)

    assert (told["clients"], told["clients_complete"]) == (12, 9)
    assert told["runs"] == {"succeeded": 18, "failed": 6}
    assert told["control_difference"] != "0.00"
    differs = {"code": "ledger.differs", "clients": [FAULTY]}
    assert told["problems"] == sorted([*EXPECTED, differs], key=lambda problem: str(problem["code"]))

    proof = LedgerState.objects.get(client__number=FAULTY).proof
    assert proof.grade == 4
    assert proof.differences
    for one in proof.differences:
        assert re.fullmatch(r"\d{4}", one["account"]), one
        assert re.match(r"20\d\d", one["period"]), one
        assert re.fullmatch(r"-?\d+\.\d\d", one["difference"]), one
        assert one["difference"] != "0.00"
    problem = Problem.objects.get(client__number=FAULTY, resolved_at=None)
    assert {"account", "period", "difference"} <= set(problem.facts)
    assert problem.facts["difference"].lstrip("-") in {one["difference"].lstrip("-") for one in proof.differences}
    if fault == "one-cent":
        assert {one["difference"].lstrip("-") for one in proof.differences} == {"0.01"}


def test_a_database_with_another_organisation_is_refused_and_left_alone(
    manage: Manage, scope: None, tmp_path: Path
) -> None:
    client = ClientFactory()
    before = list(Organisation.objects.values())

    for options in ([], ["--reset"]):
        done = manage("demo", "--no-server", "--json", *options, check=False, KONTOR_LOCAL_DIR=str(tmp_path))
        assert done.returncode == 2
        assert client.organisation.slug in done.stderr
        assert not done.stdout
    assert list(Organisation.objects.values()) == before
    assert not User.objects.exists()
    assert not (tmp_path / "demo-sandbox").exists()


def test_the_demo_needs_reset_to_begin_again_and_refuses_production(
    manage: Manage, scope: None, tmp_path: Path
) -> None:
    ClientFactory(organisation__slug="nordvik")
    local = {"KONTOR_LOCAL_DIR": str(tmp_path)}

    done = manage("demo", "--no-server", "--json", check=False, **local)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--reset" in done.stderr
    production = {"KONTOR_ENV": "production", "ALLOWED_HOSTS": "kontor.test", **local}
    done = manage("demo", "--no-server", "--reset", "--json", check=False, **production)
    assert (done.returncode, done.stdout) == (2, "")
    assert "production" in done.stderr
    assert Organisation.objects.get().slug == "nordvik"


@pytest.mark.parametrize("options", [["--fault", "nothing"], ["--provider", "tripletex"]])
def test_wrong_options_exit_2(manage: Manage, scope: None, tmp_path: Path, options: list[str]) -> None:
    done = manage("demo", "--no-server", *options, check=False, KONTOR_LOCAL_DIR=str(tmp_path))

    assert done.returncode == 2
    assert not Organisation.objects.exists()
