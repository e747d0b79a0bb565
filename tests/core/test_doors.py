"""What stands around every request: headers, ids, logs, the page of an error; over real HTTP and in processes."""

import io
import json
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.http import HttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory

from apps.core.logs import HIDDEN, logging_settings, redacted

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "KONTOR_ENV": "production",
    "SECRET_KEY": "Zb1-7kQvY3mXo9RtLw2Hc5Ns8Pd4Ff6Jg0Ua-Ee_TyIiOoBbVvCcKkMmQq",
    "FERNET_KEYS": "Hq8-2mWvZ5nXc7RtLs1Jd9Pg4Kf6Yb3Ua0Ee_TyIiOo",
    "DATABASE_URL": "sqlite:////tmp/kontor-never-made.sqlite3",
    "ALLOWED_HOSTS": "kontor.bureau.se",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KONTOR_", "CONNECTOR_"))}
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=clean | GOOD | environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_check_deploy_is_clean_with_production_settings() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout + done.stderr
    assert "silenced" not in done.stdout.replace("(0 silenced)", "")


def test_check_deploy_tells_of_a_proxy_that_is_not_counted() -> None:
    told = manage("check", "--deploy", KONTOR_TLS_PROXY="1").stderr
    counted = manage("check", "--deploy", KONTOR_TLS_PROXY="1", KONTOR_PROXIES="1").stderr

    assert "everybody would share the proxy's address" in told
    assert "kontor.W002" not in counted


ASKED = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in (
    "KONTOR_TWO_FACTOR", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SECURE",
    "CSRF_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "DEBUG")}))
"""


def test_production_demands_two_steps_and_secure_cookies_and_development_does_not_demand_them() -> None:
    real = json.loads(manage("shell", "--no-imports", "-c", ASKED).stdout)
    assert real == {
        "KONTOR_TWO_FACTOR": True, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax", "CSRF_COOKIE_SECURE": True, "CSRF_COOKIE_HTTPONLY": True,
        "SECURE_HSTS_SECONDS": 31536000, "SECURE_SSL_REDIRECT": True, "DEBUG": False,
    }  # fmt: skip
    ours = json.loads(manage("shell", "--no-imports", "-c", ASKED, KONTOR_ENV="development").stdout)
    assert (ours["KONTOR_TWO_FACTOR"], ours["SESSION_COOKIE_SECURE"]) == (False, False)


# -- Headers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def web(live_server: Any) -> Callable[..., requests.Response]:
    session = requests.Session()
    session.trust_env = False

    def get(path: str, **headers: str) -> requests.Response:
        return session.get(live_server.url + path, headers=headers, timeout=30)

    return get


def test_every_answer_says_what_it_may_do(web: Callable[..., requests.Response]) -> None:
    for path in ("/healthz", "/api/v1/status", "/nothing", "/admin/login/"):
        headers = web(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        inside = path.startswith("/admin/")
        assert policy["default-src"] == "'none'", path
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert policy["script-src"] == ("'self' 'unsafe-eval'" if inside else "'self'")
        assert policy["style-src"] == ("'self' 'unsafe-inline'" if inside else "'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


def test_over_https_browsers_are_told_to_stay_there(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31536000
    request = RequestFactory().get("/healthz", secure=True)

    told = SecurityMiddleware(lambda _request: HttpResponse())(request)

    assert told.headers["Strict-Transport-Security"].startswith("max-age=31536000")


# -- Request ids ------------------------------------------------------------------------------------------------------


def test_a_request_keeps_its_well_formed_id_and_gets_one_else(web: Callable[..., requests.Response]) -> None:
    assert web("/healthz", **{"X-Request-ID": "proxy-4711.a_b"}).headers["X-Request-ID"] == "proxy-4711.a_b"
    made = [web("/healthz").headers["X-Request-ID"]]
    bad_ids = ("short", "x" * 65, "has blank inside", "<script>alert(1)</script>", "a\tbcdefgh", '"};{"a":"b')
    made += [web("/healthz", **{"X-Request-ID": bad}).headers["X-Request-ID"] for bad in bad_ids]

    assert len({uuid.UUID(found) for found in made}) == 7


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages that fail with a secret in the error."""
    from apps.api import views
    from apps.organisations import lockout

    def fail(*_args: Any, **_options: Any) -> Any:
        raise RuntimeError("access_token=canary-0123456789 is not understood")

    monkeypatch.setattr(views, "overall", fail)
    monkeypatch.setattr(views.TokenView, "permission_classes", ())
    monkeypatch.setattr(views.TokenView, "answer", fail)
    monkeypatch.setattr(lockout, "counted_name", fail)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broken")
def test_an_uncaught_error_is_a_page_with_the_id_and_a_line_in_the_log(
    live_server: Any, web: Callable[..., requests.Response], lines: io.StringIO
) -> None:
    from tests.organisations.visitor import Visitor

    page = Visitor(live_server.url).sign_in("kari@nordvik.example", "canary-password")
    api = web("/api/v1/status")

    assert page.status_code == api.status_code == 500
    assert page.headers["X-Request-ID"] in page.text
    assert "office/error.css" in page.text
    assert "canary" not in page.text + api.text
    assert api.headers["Content-Type"] == "application/problem+json"
    assert api.json()["request_id"] == api.headers["X-Request-ID"]
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    failed = [line for line in told if line["event"] == "request_failed"]
    assert [(line["level"], line["request_id"]) for line in failed] == [
        ("error", answer.headers["X-Request-ID"]) for answer in (page, api)
    ]
    assert all("RuntimeError: access_token=[redacted]" in line["exception"] for line in failed)
    assert "canary" not in lines.getvalue()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What production would write, while the test runs."""
    made = logging_settings(json=True, level="INFO")["formatters"]["lines"]
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(made["()"](**{name: value for name, value in made.items() if name != "()"}))
    logging.getLogger().addHandler(handler)
    yield handler.stream
    logging.getLogger().removeHandler(handler)


# -- Logs -------------------------------------------------------------------------------------------------------------

LOGGED = """
import logging, structlog
logging.getLogger("apps.sync").info("calling https://u:canary1@api.se/x?code=canary2&state=canary3&page=2")
structlog.get_logger("apps.sync").info("asked", headers={"Authorization": "Bearer canary4", "Accept": "a"}, token="canary5")
try:
    raise ValueError("{'refresh_token': 'canary6', 'id': 7}")
except ValueError:
    logging.getLogger("apps.sync").exception("refused, Authorization: Basic Y2FuYXJ5Nw==")
logging.getLogger("apps.sync").debug("not at this level")
"""


def test_production_writes_json_without_secrets_and_development_writes_for_people() -> None:
    done = manage("shell", "--no-imports", "-c", LOGGED)
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [(line["level"], line["logger"]) for line in lines] == [
        ("info", "apps.sync"), ("info", "apps.sync"), ("error", "apps.sync"),
    ]  # fmt: skip
    assert "canary" not in done.stderr
    assert "Y2FuYXJ5" not in done.stderr
    assert "page=2" in lines[0]["event"]
    assert lines[1]["headers"]["Accept"] == "a"
    assert "ValueError" in lines[2]["exception"]
    people = manage("shell", "--no-imports", "-c", LOGGED, KONTOR_ENV="development", KONTOR_LOG_LEVEL="debug").stderr
    assert "not at this level" in people
    assert "canary" not in people
    with pytest.raises(ValueError, match="line 1 column"):
        json.loads(people.splitlines()[0])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GET /admin/consent/?code=abc123&state=xyz", "GET /admin/consent/?code=[redacted]&state=[redacted]"),
        ("exit code: 1, state: running", "exit code: 1, state: running"),
        ('{"access_token": "abc", "expires_in": 3600}', '{"access_token": "[redacted]", "expires_in": 3600}'),
        ("client_secret=abc&grant_type=x", "client_secret=[redacted]&grant_type=x"),
        ("session_token:abc", "session_token:[redacted]"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: [redacted]"),
        ("sent Bearer abc.def.ghi", "sent Bearer [redacted]"),
        ("postgres://kontor:hunter2@db/kontor", "postgres://[redacted]@db/kontor"),
        ("kontor_Abc123_def456", "[redacted]"),
        ("12 vouchers of client 1001, account 1920", "12 vouchers of client 1001, account 1920"),
        ("employeeToken=abc, consumerToken=def", "employeeToken=[redacted], consumerToken=[redacted]"),
        ("api_key=abc api-key: def", "api_key=[redacted] api-key: [redacted]"),
    ],
)
def test_what_looks_like_a_secret_is_not_written(text: str, kept: str) -> None:
    assert redacted(text) == kept
    assert redacted({"event": text, "n": [text, 7, None]}) == {"event": kept, "n": [kept, 7, None]}


def test_a_field_named_like_a_secret_is_not_written() -> None:
    told = {"password": "a", "access_token": "b", "tokens": 3, "code": 500, "Authorization": "c"}
    assert redacted(told) == told | {"password": HIDDEN, "access_token": HIDDEN, "Authorization": HIDDEN}
