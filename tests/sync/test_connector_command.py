"""`manage.py connector ...` as other programs rely on it. No test here may touch a database: pytest-django refuses."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import ROOT
from tests.connectors.fake import APP_TOKEN, KEY, NUMBER, SLUG, TOKEN, Vendor, vendor

__all__ = ["vendor"]

PAGES = [
    [{"id": "1", "date": "2026-01-31", "amount": "100.10"}, {"id": "2", "date": "2026-02-01", "amount": "2.00"}],
    [{"id": "3", "date": "2026-02-02", "amount": "3.00"}],
]


@dataclass
class Done:
    code: int
    lines: list[str]
    errors: list[str]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.errors[-1])
        return told


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return written(tmp_path, {"api_key": KEY})


def written(folder: Path, content: Any) -> Path:
    path = folder / "values.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def run(what: str, values: Path | None = None, *more: str, provider: str = SLUG) -> Done:
    given = ["--provider", provider, "--values", str(values)] if values is not None else []
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("connector", what, *given, *more, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
        err.write(f"{error}\n")
    except SystemExit as ended:
        code = int(str(ended.code))
    return Done(code, out.getvalue().splitlines(), err.getvalue().splitlines())


def test_list_tells_what_each_provider_can(vendor: Vendor) -> None:
    done = run("list", None, "--json")

    assert done.code == 0
    mine = next(line for line in done.records if line["slug"] == SLUG)
    assert mine == {
        "slug": SLUG,
        "label": "Fake",
        "countries": ["NO"],
        "auth": ["api_key"],
        "fields": [
            {"name": "api_key", "secret": True, "required": True, "templated": False, "scope": "connector"},
            {"name": "company", "secret": False, "required": False, "templated": True, "scope": "connector"},
            {"name": "site", "secret": False, "required": False, "templated": False, "scope": "connector"},
            {"name": "app_token", "secret": True, "required": True, "templated": False, "scope": "operator"},
        ],
        "resources": {"vouchers": ["read", "get"], "accounts": ["read"]},
    }
    assert f"slug: {SLUG}  label: Fake" in "\n".join(run("list").lines)


def test_verify_prints_the_identity(vendor: Vendor, values: Path) -> None:
    done = run("verify", values, "--json")

    assert done.code == 0
    assert done.records == [{"company_id": "7", "name": "Fjord AS", "organisation_number": NUMBER, "proof": "reported"}]
    assert done.last["complete"] is True
    assert done.last["requests"] == 2


def test_discover_prints_every_company(vendor: Vendor, values: Path) -> None:
    vendor.companies = [{"id": "1", "name": "One"}, {"id": "2", "name": "Two"}]

    done = run("discover", values, "--json")

    assert [line["name"] for line in done.records] == ["One", "Two"]
    assert (done.code, done.last["records"]) == (0, 2)


def test_read_prints_records_only_and_sums_up_at_the_end(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES
    vendor.extra = {"mark": "c-9", "gone": ["99"]}

    done = run("read", values, "--resource", "vouchers", "--json")

    assert done.code == 0
    assert [line["external_id"] for line in done.records] == ["1", "2", "3"]
    assert done.records[0]["postings"][0] == {
        "row": 1, "date": "2026-01-31", "account": "1920", "amount": "100.10", "tax_role": "none", "text": "",
        "system_made": False,
    }  # fmt: skip
    assert "raw" not in done.records[0]
    assert done.last == {
        "complete": True,
        "records": 3,
        "pages": 2,
        "vendor_count": 3,
        "requests": 3,
        "gone": [{"resource": "vouchers", "external_id": "99"}],
        "cursor": "c-9",
    }


def test_raw_adds_the_vendors_own_payload(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES
    done = run("read", values, "--resource", "vouchers", "--raw", "--json")
    assert done.records[0]["raw"] == PAGES[0][0]


def test_a_window_has_both_days_in_it(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES
    run("read", values, "--resource", "vouchers", "--from", "2026-01-01", "--to", "2026-01-31")
    assert {("from", "2026-01-01"), ("to", "2026-01-31")} <= set(vendor.heard[-1].query)


def test_what_a_limit_cuts_off_is_not_complete(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES

    cut = run("read", values, "--resource", "vouchers", "--limit", "2", "--json")
    whole = run("read", values, "--resource", "vouchers", "--limit", "3", "--json")

    assert (cut.code, cut.last["complete"], cut.last["records"], cut.last["pages"]) == (1, False, 2, 1)
    assert (whole.code, whole.last["complete"], whole.last["records"]) == (0, True, 3)


def test_a_read_that_ends_without_its_last_page_is_not_complete(vendor: Vendor, values: Path) -> None:
    vendor.pages = [*PAGES, []]
    vendor.fail = {}
    vendor.extra = {"last": False, "stops": True}

    done = run("read", values, "--resource", "vouchers", "--json")

    assert (done.code, done.last["complete"], done.last["records"]) == (1, False, 3)


def test_a_failure_is_the_last_line_of_stderr(vendor: Vendor, values: Path) -> None:
    vendor.keys = set()

    done = run("verify", values, "--json")

    assert (done.code, done.lines) == (1, [])
    assert done.last == {
        "failure": "reconnect",
        "remedy": "connector.refused",
        "field": None,
        "detail": '401 /login: {"error": "bad key"}',
        "retry_after": None,
    }
    told = run("verify", values)
    assert told.errors[0] == "The other system no longer accepts the key."
    assert told.errors[-1] == "reconnect connector.refused"


def test_what_was_read_before_a_failure_is_printed(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES
    vendor.fail = {"/vouchers?page=2": 403}

    done = run("read", values, "--resource", "vouchers", "--json")

    assert done.code == 1
    assert [line["external_id"] for line in done.records] == ["1", "2"]
    assert (done.last["failure"], done.last["remedy"]) == ("permission", "connector.not_allowed")


def test_a_fault_of_the_provider_is_a_failure_too(vendor: Vendor, values: Path) -> None:
    vendor.pages = [[{"id": "3", "date": "2026-02-02", "amount": f"{KEY}, no number"}]]

    done = run("read", values, "--resource", "vouchers", "--json")

    assert done.code == 1
    assert (done.last["failure"], done.last["remedy"]) == ("unknown", "connector.not_understood")
    assert "Traceback" in done.errors[0]
    assert KEY not in "".join(done.errors)


def test_get_tells_what_is_gone(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES

    there = run("get", values, "--resource", "vouchers", "--id", "3", "--json")
    gone = run("get", values, "--resource", "vouchers", "--id", "77", "--json")

    assert [line["external_id"] for line in there.records] == ["3"]
    assert (gone.code, gone.records) == (0, [])
    assert gone.last["gone"] == [{"resource": "vouchers", "external_id": "77"}]


def test_operator_fields_may_stand_in_the_file(vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_FAKE_PROVIDER_APP_TOKEN")

    missing = run("verify", written(tmp_path, {"api_key": KEY}), "--json")
    given = run("verify", written(tmp_path, {"api_key": KEY, "app_token": APP_TOKEN, "auth": "api_key"}), "--json")

    assert (missing.code, missing.last["remedy"]) == (1, "connector.operator_field")
    assert "CONNECTOR_FAKE_PROVIDER_APP_TOKEN" in missing.last["detail"]
    assert given.code == 0


def test_a_placeholder_is_not_filled_here(vendor: Vendor, tmp_path: Path) -> None:
    done = run("verify", written(tmp_path, {"api_key": KEY, "company": "%ORGNR%"}), "--json")

    assert (done.code, done.last["remedy"], done.last["field"]) == (1, "connector.placeholder", "company")
    assert "%ORGNR%" in done.last["detail"]
    assert vendor.heard == []


@pytest.mark.parametrize(
    ("what", "more", "says"),
    [
        ("read", ("--resource", "invoices"), "has no read of 'invoices'; it has: vouchers, accounts"),
        ("get", ("--resource", "accounts", "--id", "1"), "has no get of 'accounts'; it has: vouchers"),
        ("read", ("--resource", "vouchers", "--from", "2026-01-01"), "belong together"),
        ("read", ("--resource", "vouchers", "--from", "1.1.26", "--to", "2026-01-01"), "not a day like"),
        ("read", ("--resource", "vouchers", "--from", "2026-02-01", "--to", "2026-01-01"), "lies before"),
        ("read", ("--resource", "vouchers", "--since", "c", "--to", "2026-01-01"), "exclude each other"),
    ],
)
def test_wrong_use_is_told(vendor: Vendor, values: Path, what: str, more: tuple[str, ...], says: str) -> None:
    done = run(what, values, *more, "--json")

    assert (done.code, done.lines) == (2, [])
    assert says in done.errors[-1]
    assert vendor.heard == []


def test_changes_where_the_vendor_has_no_such_list_are_wrong_use(tmp_path: Path) -> None:
    values = written(tmp_path, {"api_key": KEY, "consumer_token": APP_TOKEN})

    done = run("read", values, "--resource", "vouchers", "--since", "x", "--json", provider="tripletex")

    assert (done.code, done.lines) == (2, [])
    assert "ask for a window" in done.errors[-1]


def test_an_unknown_provider_is_wrong_use(vendor: Vendor, values: Path) -> None:
    done = run("verify", values, provider="nobody")
    assert done.code == 2
    assert "there is no provider 'nobody'; there are: " in done.errors[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"api_key": KEY, "apikey": "x"}, "has no field apikey; it has: api_key, company, site, app_token"),
        ({"auth": "oauth_code"}, "has no sign-in called 'oauth_code'; it has: api_key"),
        ([], "is not a JSON object"),
        ({"api_key": ["x"]}, "api_key is not a text"),
    ],
)
def test_a_file_that_does_not_fit_is_wrong_use(vendor: Vendor, tmp_path: Path, content: Any, says: str) -> None:
    done = run("verify", written(tmp_path, content))
    assert done.code == 2
    assert says in done.errors[-1]


def test_a_file_that_is_not_there_is_wrong_use(vendor: Vendor, tmp_path: Path) -> None:
    done = run("verify", tmp_path / "nowhere.json")
    assert (done.code, "cannot be read" in done.errors[-1]) == (2, True)


def process(vendor: Vendor, *arguments: str) -> subprocess.Popen[str]:
    """The command as others start it, with a database that cannot be opened."""
    environment = dict(os.environ) | vendor.environment | {"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}
    command = [sys.executable, "manage.py", "connector", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_works_without_a_database_and_shows_no_secret(vendor: Vendor, values: Path) -> None:
    vendor.pages = PAGES
    vendor.company["echo"] = f"{KEY} {TOKEN}"
    given = ["--provider", SLUG, "--values", str(values), "--json"]

    reading = process(vendor, "read", *given, "--resource", "vouchers")
    out, err = reading.communicate(timeout=60)

    assert reading.returncode == 0, err
    assert len(out.splitlines()) == 3
    assert json.loads(err.splitlines()[-1])["complete"] is True
    assert [canary for canary in (KEY, TOKEN, APP_TOKEN) if canary in out + err] == []


def test_exit_codes_of_the_process(vendor: Vendor, values: Path) -> None:
    vendor.keys = set()
    given = ["--provider", SLUG, "--values", str(values), "--json"]
    started = [
        process(vendor, "verify", *given),
        process(vendor, "read", *given, "--resource", "nothing"),
        process(vendor, "read", *given),
        process(vendor, "dance"),
    ]

    ended = [(one.communicate(timeout=60)[1], one.returncode) for one in started]

    assert [code for _err, code in ended] == [1, 2, 2, 2]
    assert "Traceback" not in "".join(err for err, _code in ended)


def test_a_reader_that_has_enough_is_no_fault(vendor: Vendor, values: Path) -> None:
    vendor.pages = [[{"id": str(n), "date": "2026-01-31", "amount": "1.00"} for n in range(2000)]]
    reading = process(vendor, "read", "--provider", SLUG, "--values", str(values), "--json", "--resource", "vouchers")
    assert reading.stdout is not None
    assert reading.stderr is not None

    assert reading.stdout.readline()
    reading.stdout.close()
    err = reading.stderr.read()

    assert reading.wait(timeout=60) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err
