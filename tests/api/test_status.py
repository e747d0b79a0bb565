"""The status API: one query, one bureau, strings for money, problem+json for refusals."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.clients.models import ApiToken, Client, new_token, token_digest
from apps.core.scope import system_scope
from apps.sync.enums import RunState
from tests.factories import ClientFactory
from tests.office.bureau import Bureau, differ, make_bureau, run_of, trouble

PARTS = {
    "number", "name", "organisation_number", "state", "basis", "control_difference", "read_at", "last_entry",
    "closed_to", "last_run", "next_run", "running", "problems",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_throttle_left() -> None:
    cache.clear()


@pytest.fixture
def bureau(db: None) -> Bureau:
    return make_bureau("nordvik", "987463104")


@pytest.fixture
def other(db: None) -> Bureau:
    return make_bureau("sorvik", "985952442")


def token_of(bureau: Bureau, *clients: Client) -> str:
    token = new_token()
    with system_scope("tests"):
        row = ApiToken.objects.create(
            organisation=bureau.organisation, name="dashboard", digest=token_digest(token), all_clients=not clients
        )
        row.clients.set(clients)
    return token


def get(address: str, token: str, **headers: str) -> Any:
    return Browser().get(address, headers={"Authorization": f"Bearer {token}", **headers})


def test_a_client_that_agrees(bureau: Bureau) -> None:
    told = get("/api/v1/clients/77/status", token_of(bureau)).json()

    assert set(told) == PARTS
    assert told["organisation_number"] == "987463104"
    assert told["state"]["grade"] == 1
    assert told["state"]["code"] == "agrees_control_totals"
    assert told["state"]["sentence"].startswith("agrees with control totals (Tripletex, read ")
    assert told["basis"] == "control_totals"
    assert told["control_difference"] == "0.00"
    assert told["last_entry"] == "2026-03-15"
    assert told["closed_to"] is None
    assert datetime.fromisoformat(told["read_at"]).utcoffset() is not None
    assert datetime.fromisoformat(told["next_run"]) > timezone.now()
    assert told["problems"] == []


def test_a_client_that_differs_names_its_problems(bureau: Bureau) -> None:
    differ(bureau.client)
    trouble(bureau.connection)

    told = get("/api/v1/clients/77/status", token_of(bureau)).json()

    assert told["state"]["grade"] == 4
    assert told["control_difference"] == "240.00"
    assert [(one["code"], one["title"]) for one in told["problems"]] == [
        ("vendor.bad_key", "The key of Nordlys is not accepted.")
    ]


def test_a_running_client_tells_its_progress(bureau: Bureau) -> None:
    run = run_of(bureau.feed, RunState.RUNNING, done=50, expected=200, started_at=timezone.now())

    told = get("/api/v1/clients/77/status", token_of(bureau)).json()["running"]

    assert {name: told[name] for name in ("id", "stage", "done", "expected")} == {
        "id": run.pk, "stage": "vouchers", "done": 50, "expected": 200,
    }  # fmt: skip


def test_a_client_that_was_never_set_up(bureau: Bureau) -> None:
    client = ClientFactory(organisation=bureau.organisation)

    told = get(f"/api/v1/clients/{client.number}/status", token_of(bureau)).json()

    assert told["state"]["code"] == "not_set_up"
    assert (told["state"]["grade"], told["basis"], told["control_difference"], told["next_run"]) == (None,) * 4


def test_all_clients_by_grade(bureau: Bureau) -> None:
    differ(bureau.client)
    trouble(bureau.connection)
    ClientFactory(organisation=bureau.organisation)

    told = get("/api/v1/status", token_of(bureau)).json()

    assert (told["clients"], told["complete"], told["problems"], told["running"]) == (2, 0, 1, 0)
    assert told["by_grade"] == {"1": 0, "2": 0, "3": 0, "4": 1, "none": 1}


@pytest.mark.parametrize("clients", [1, 30])
@pytest.mark.parametrize("address", ["/api/v1/status", "/api/v1/clients/77/status"])
def test_status_is_one_query_besides_the_token(bureau: Bureau, address: str, clients: int) -> None:
    for _ in range(clients - 1):
        ClientFactory(organisation=bureau.organisation)
    trouble(bureau.connection)
    token = token_of(bureau)

    with CaptureQueriesContext(connection) as asked:
        assert get(address, token).status_code == 200

    texts = [query["sql"] for query in asked.captured_queries]
    assert len([text for text in texts if '"clients_apitoken"."digest"' in text]) == 1
    assert len(texts) == 2


def test_another_bureaus_client_is_not_found(bureau: Bureau, other: Bureau) -> None:
    differ(other.client)

    told = get("/api/v1/clients/77/status", token_of(bureau)).json()

    assert told["organisation_number"] == "987463104"
    assert told["state"]["grade"] == 1
    assert get("/api/v1/status", token_of(bureau)).json()["clients"] == 1


def test_a_restricted_token_sees_its_clients_only(bureau: Bureau) -> None:
    hidden = ClientFactory(organisation=bureau.organisation)
    token = token_of(bureau, bureau.client)

    refused = get(f"/api/v1/clients/{hidden.number}/status", token)

    assert refused.status_code == 404
    assert get("/api/v1/status", token).json()["clients"] == 1


@pytest.mark.parametrize("sent", ["Bearer kontor_wrong", "Bearer nonsense", "Basic a2Fy", "Bearer", ""])
def test_without_a_valid_token_nothing_is_told(bureau: Bureau, sent: str) -> None:
    answer = Browser().get("/api/v1/status", headers={"Authorization": sent} if sent else {})

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] in {"bad_token", "not_signed_in"}


def test_a_revoked_token_is_refused(bureau: Bureau) -> None:
    token = token_of(bureau)
    with system_scope("tests"):
        ApiToken.objects.update(revoked_at=timezone.now())

    assert get("/api/v1/status", token).status_code == 401


def test_a_signed_in_person_is_no_machine(bureau: Bureau) -> None:
    browser = Browser()
    browser.force_login(bureau.member("owner"))

    assert browser.get("/api/v1/status").status_code == 401


def test_an_unknown_client_is_a_problem_document(bureau: Bureau) -> None:
    answer = get("/api/v1/clients/nobody/status", token_of(bureau))

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found", "detail": "Not found.",
        "request_id": answer["X-Request-ID"],
    }  # fmt: skip


def test_too_many_questions_are_refused(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.api.views import TokenThrottle

    monkeypatch.setattr(TokenThrottle, "rate", "2/min")
    token = token_of(bureau)

    answers = [get("/api/v1/status", token) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "too_many"
    assert int(answers[2]["Retry-After"]) > 0


def test_an_unchanged_answer_is_not_sent_again(bureau: Bureau) -> None:
    token = token_of(bureau)
    first = get("/api/v1/status", token)

    assert get("/api/v1/status", token, **{"If-None-Match": first["ETag"]}).status_code == 304
    differ(bureau.client)
    assert get("/api/v1/status", token, **{"If-None-Match": first["ETag"]}).status_code == 200


def test_the_api_and_the_page_say_the_same_sentence(bureau: Bureau) -> None:
    browser = Browser()
    browser.force_login(bureau.member("owner"))

    sentence = get("/api/v1/clients/77/status", token_of(bureau)).json()["state"]["sentence"]

    assert sentence in browser.get(f"/admin/clients/client/{bureau.client.pk}/change/").content.decode()


def test_amounts_are_never_numbers(bureau: Bureau) -> None:
    differ(bureau.client)

    told = get("/api/v1/clients/77/status", token_of(bureau)).json()

    assert Decimal(told["control_difference"]) == Decimal("240.00")
    assert isinstance(told["control_difference"], str)


def test_a_token_whose_clients_are_gone_sees_none(bureau: Bureau) -> None:
    """An empty list of named clients never means all of them."""
    gone = ClientFactory(organisation=bureau.organisation)
    token = token_of(bureau, gone)
    assert get("/api/v1/status", token).json()["clients"] == 1

    with system_scope("tests"):
        gone.delete()

    assert get("/api/v1/status", token).json()["clients"] == 0
    assert get("/api/v1/clients/77/status", token).status_code == 404


def test_a_token_of_all_clients_sees_restricted_ones_only_where_named(bureau: Bureau) -> None:
    secret = ClientFactory(organisation=bureau.organisation, restricted=True)
    token = token_of(bureau)
    assert get("/api/v1/status", token).json()["clients"] == 1
    assert get(f"/api/v1/clients/{secret.number}/status", token).status_code == 404

    with system_scope("tests"):
        ApiToken.objects.get().clients.add(secret)

    assert get("/api/v1/status", token).json()["clients"] == 2
    assert get(f"/api/v1/clients/{secret.number}/status", token).status_code == 200
