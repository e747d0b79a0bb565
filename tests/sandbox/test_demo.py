"""The demo command in a process of its own: what its last line says, and that no fault ever looks green."""

import json
import re
from collections import Counter
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
from apps.sandbox.serving import stories
from apps.sandbox.story import COMPLETE
from apps.sync.models import Run
from tests.conftest import DATABASE, Manage
from tests.factories import ClientFactory

VOUCHERS = 40
CLIENTS, COMPLETE_ONES = 25, 21
# the provider asked for ("": none) -> its story, the first client that is complete otherwise, clients, complete ones
FAULTY = {
    "": ("nordvik", "1001", 12, 10),
    "netvisor": ("saaristo", "2001", 6, 6),
    "fortnox": ("malardalen", "3001", 7, 5),
}
AMONG_ALL = {("one-cent", ""), ("hide-account", "fortnox")}  # the other faults in their story alone: it is quicker


@pytest.fixture
def scope(db: None) -> Any:
    from apps.core.scope import system_scope

    with system_scope("tests"):
        yield


def demo(manage: Manage, folder: Path, *options: str, only: str = "") -> dict[str, Any]:
    """The summary: the last line of stdout. `only`: of that story alone."""
    environment = {
        **({"KONTOR_DEMO_ONLY": only} if only else {}),
        "KONTOR_LOCAL_DIR": str(folder),
        "KONTOR_DEMO_VOUCHERS": str(VOUCHERS),
        "KONTOR_TICK_SECONDS": "0.5",
    }
    done = manage("demo", "--no-server", "--reset", "--json", *options, timeout=200, **environment)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


EXPECTED = [
    {"code": "connector.wrong_company", "clients": ["1012"]},
    {"code": "fortnox.api_licence_missing", "clients": ["3007"]},
    {"code": "fortnox.consent_unknown", "clients": ["3006"]},
    {"code": "tripletex.company_not_opened", "clients": ["1010"]},
]


def test_two_nights_agree_with_their_source_to_the_cent(manage: Manage, scope: None, tmp_path: Path) -> None:
    left_over = ClientFactory(organisation__slug="nordvik", number="9999")

    told = demo(manage, tmp_path)

    told_by = stories(timezone.now(), VOUCHERS)
    assert told == {
        "clients": CLIENTS,
        "clients_complete": COMPLETE_ONES,
        "runs": {"succeeded": 2 * COMPLETE_ONES, "failed": 2 * (CLIENTS - COMPLETE_ONES)},
        "vouchers": Voucher.objects.filter(deleted_at=None).count(),
        "postings": Posting.objects.count(),
        "control_difference": "0.00",
        "not_provable": 0,
        "problems": EXPECTED,
        # in the first days of a month, what is booked for the days before is in a month that had been read
        "moved": {"changed": 5, "deleted": 4, "moved": 4, "backdated": max(6, told["moved"]["backdated"])},
    }
    assert told["moved"] == dict(sum((Counter(story.moved) for story in told_by), Counter()))
    assert list(told) == [
        "clients", "clients_complete", "runs", "vouchers", "postings", "control_difference", "not_provable", "problems",
        "moved",
    ]  # fmt: skip
    announced = {
        client.number: client.expect for story in told_by for client in story.clients if client.expect != COMPLETE
    }
    assert announced == {problem["clients"][0]: problem["code"] for problem in EXPECTED}
    assert told["vouchers"] > COMPLETE_ONES * VOUCHERS
    assert Posting.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert not Run.objects.filter(state__in=("queued", "running")).exists()
    assert User.objects.count() == len(told_by)
    assert not Client.objects.filter(number=left_over.number).exists()  # --reset
    sheets = [balance_sheet(year.client, year.end) for year in FiscalYear.objects.select_related("client")]
    assert len(sheets) == 2 * COMPLETE_ONES
    assert {sheet.rest for sheet in sheets} == {0}
    assert any(sheet.earlier_result for sheet in sheets)  # one client has not transferred its result


@pytest.mark.skipif(DATABASE != "sqlite", reason="faults are in the source: one database shows them")
@pytest.mark.parametrize("provider", list(FAULTY), ids=lambda provider: provider or "first story")
@pytest.mark.parametrize("fault", ["drop-voucher", "drop-page", "one-cent", "hide-account"])
def test_a_fault_costs_one_client_its_grade_and_names_account_period_and_difference(
    manage: Manage, scope: None, tmp_path: Path, fault: str, provider: str
) -> None:
    story, faulty, clients, complete = FAULTY[provider]
    among_all = (fault, provider) in AMONG_ALL
    if among_all:
        story, clients, complete = "", CLIENTS, COMPLETE_ONES

    told = demo(manage, tmp_path, "--fault", fault, *(["--provider", provider] if provider else []), only=story)

    assert (told["clients"], told["clients_complete"]) == (clients, complete - 1)
    assert told["runs"] == {"succeeded": 2 * (complete - 1), "failed": 2 * (clients - complete + 1)}
    assert told["control_difference"] != "0.00"
    differs = {"code": "ledger.differs", "clients": [faulty]}
    own = [problem for problem in EXPECTED if among_all or problem["clients"][0][0] == faulty[0]]
    assert told["problems"] == sorted([*own, differs], key=lambda problem: str(problem["code"]))

    proof = LedgerState.objects.get(client__number=faulty).proof
    assert proof.grade == 4
    assert proof.differences
    for one in proof.differences:
        assert re.fullmatch(r"\d{4}|netvisorkey \d+", one["account"]), one
        assert re.match(r"20\d\d", one["period"]), one
        assert re.fullmatch(r"-?\d+\.\d\d", one["difference"]), one
        assert one["difference"] != "0.00"
    problem = Problem.objects.get(client__number=faulty, resolved_at=None)
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


@pytest.mark.parametrize(
    "options", [["--fault", "nothing"], ["--provider", "tripletex"], ["--fault", "one-cent", "--provider", "nobody"]]
)
def test_wrong_options_exit_2(manage: Manage, scope: None, tmp_path: Path, options: list[str]) -> None:
    done = manage("demo", "--no-server", *options, check=False, KONTOR_LOCAL_DIR=str(tmp_path))

    assert done.returncode == 2
    assert not Organisation.objects.exists()
