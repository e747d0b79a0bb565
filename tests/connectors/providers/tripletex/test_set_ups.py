"""Who the key belongs to, which company is meant, and what people are told when that does not fit."""

from dataclasses import replace
from typing import Any

import pytest

from apps.connectors.sdk.failures import Failure
from apps.connectors.sdk.queries import Full
from apps.connectors.sdk.sandbox import Answer
from apps.connectors.sdk.session import NoVault
from apps.records.enums import Resource
from tests.connectors.bench import Bench, refusal
from tests.connectors.providers.tripletex.harness import (
    BUREAU,
    CLOSED_NR,
    GOOD,
    LONE,
    LONE_NR,
    MAIN_NR,
    OTHER_NR,
    error,
    seed,
)


def company_id(bench: Bench, company: str) -> str:
    found = bench.sandbox.store.get("", "company", company)
    assert found is not None
    return str(found["id"])


@pytest.mark.parametrize("written", [MAIN_NR, "987 463 104", "NO987463104MVA", "no 987.463.104 mva"])
def test_a_bureau_key_finds_the_client_by_its_organisation_number(bench: Bench, written: str) -> None:
    kept: list[str | None] = []
    session = bench.session({**GOOD, "org_nr": written}, keep_company_key=kept.append)

    found = bench.provider.verify(session)

    assert (found.company_id, found.name, found.organisation_number) == (
        company_id(bench, "main"),
        "Fjordglimt AS",
        MAIN_NR,
    )
    assert (found.country, kept) == ("NO", [company_id(bench, "main")])


def test_a_single_key_is_its_own_company(bench: Bench) -> None:
    found = bench.provider.verify(bench.session(LONE))

    assert (found.company_id, found.organisation_number) == (company_id(bench, "lone"), LONE_NR)
    assert [item.company_id for item in bench.provider.discover(bench.session(LONE))] == [found.company_id]  # type: ignore[misc]


def test_a_cached_client_needs_no_list(bench: Bench) -> None:
    session = bench.session(company_key=company_id(bench, "main"))

    bench.provider.verify(session)

    assert [request.path for request in bench.mouth.heard] == [
        "/v2/token/session/:create",
        f"/v2/company/{company_id(bench, 'main')}",
    ]


def test_a_cached_client_of_another_number_is_looked_up_again(bench: Bench) -> None:
    session = bench.session({**GOOD, "org_nr": OTHER_NR}, company_key=company_id(bench, "main"))

    assert bench.provider.verify(session).company_id == company_id(bench, "other")


def test_the_row_of_the_list_serves_where_the_company_page_is_refused(bench: Bench) -> None:
    bench.mouth.speak(f"/company/{company_id(bench, 'main')}", lambda _r, _n: error(403, 9000))

    assert bench.provider.verify(bench.session()).name == "Fjordglimt AS"


def told(bench: Bench, values: dict[str, str], **more: Any) -> tuple[str, str | None, Failure]:
    error = refusal(lambda: bench.provider.verify(bench.session(values, **more)))
    assert error.remedy.title
    error.remedy.title.format(**error.facts)  # every name in it has its fact
    assert bench.changes == 0
    return error.remedy.code, error.field, error.failure


@pytest.mark.parametrize(
    ("values", "code", "field", "failure"),
    [
        ({**GOOD, "api_key": " 1234567 "}, "tripletex.key_is_id", "api_key", Failure.SETUP),
        ({**GOOD, "api_key": "nobody-made-this-key"}, "tripletex.bad_key", "api_key", Failure.RECONNECT),
        ({**GOOD, "consumer_token": "of-the-test-host"}, "tripletex.wrong_environment", None, Failure.SETUP),
        ({**GOOD, "org_nr": CLOSED_NR}, "tripletex.company_not_opened", "org_nr", Failure.SETUP),
        ({**GOOD, "org_nr": "98746310"}, "connector.field_form", "org_nr", Failure.SETUP),
        ({**GOOD, "org_nr": ""}, "tripletex.bureau_key_without_orgnr", "org_nr", Failure.SETUP),
        ({**LONE, "org_nr": MAIN_NR}, "tripletex.orgnr_on_single_key", "org_nr", Failure.SETUP),
        ({**LONE, "org_nr": LONE_NR}, "tripletex.orgnr_on_single_key", "org_nr", Failure.SETUP),
    ],
)
def test_what_does_not_fit_is_told_with_its_remedy(
    bench: Bench, values: dict[str, str], code: str, field: str | None, failure: Failure
) -> None:
    assert told(bench, values) == (code, field, failure)


def test_nothing_is_sent_for_a_key_that_is_an_id(bench: Bench) -> None:
    told(bench, {**GOOD, "api_key": "20481736"})

    assert bench.mouth.heard == []


def test_a_bureau_key_is_known_by_its_clients_where_the_text_is_another(bench: Bench) -> None:
    bench.mouth.speak("/company/", lambda request, _n: None if ">with" in request.path else error(403, 9000))

    assert told(bench, {**GOOD, "org_nr": ""})[0] == "tripletex.bureau_key_without_orgnr"


def test_two_companies_of_one_number_are_not_chosen_between(bench: Bench) -> None:
    doc = bench.sandbox.store.get("", "company", "other")
    assert doc is not None
    from apps.connectors.sdk.sandbox import Row

    bench.sandbox.store.put("", "company", [Row(id="other", data={**doc, "organizationNumber": MAIN_NR})])

    assert told(bench, GOOD)[0] == "tripletex.company_ambiguous"


@pytest.mark.parametrize("status", [401, 403])
def test_a_client_resolved_before_and_gone_from_the_list_was_withdrawn(bench: Bench, status: int) -> None:
    known = company_id(bench, "main")
    bench.sandbox.store.set("refused_status", status)
    bench.sandbox.fault("main", "withdrawn", {})

    kept: list[str | None] = []
    withdrawn = told(bench, GOOD, company_key=known, keep_company_key=kept.append)

    assert withdrawn == ("tripletex.access_withdrawn", "org_nr", Failure.RECONNECT)
    assert kept == []  # the next night still knows that it was open once
    reading = refusal(lambda: list(bench.read(Resource.ACCOUNTS, session=bench.session(company_key=known))))
    assert reading.remedy.code == "tripletex.access_withdrawn"


def test_a_client_that_got_another_id_is_found_again(bench: Bench) -> None:
    session = bench.session(company_key="108999999")

    pages = list(bench.read(Resource.ACCOUNTS, session=session))

    assert session.company_key == company_id(bench, "main")
    assert pages[0].records


def test_the_addon_is_told_apart_from_an_entitlement_by_the_modules(bench: Bench) -> None:
    bench.sandbox.fault("main", "no_entitlement", {})
    entitlement = refusal(lambda: list(bench.read(Resource.ACCOUNTS)))
    bench.mouth.speak("/company/salesmodules", lambda _r, _n: error(403, 9000))
    unreadable = refusal(lambda: list(bench.read(Resource.ACCOUNTS)))
    bench.mouth.speak("", None)
    seed(bench.sandbox)
    doc = bench.sandbox.store.get("", "company", "main")
    assert doc is not None
    from apps.connectors.sdk.sandbox import Row

    bench.sandbox.store.put("", "company", [Row(id="main", data={**doc, "modules": ["BASIS"]})])
    addon = refusal(lambda: list(bench.read(Resource.ACCOUNTS)))

    assert [entitlement.remedy.code, unreadable.remedy.code, addon.remedy.code] == [
        "tripletex.entitlement_missing",
        "tripletex.entitlement_missing",
        "tripletex.api_addon_missing",
    ]
    assert {e.failure for e in (entitlement, unreadable, addon)} == {Failure.PERMISSION}


def made(bench: Bench) -> int:
    return sum(request.path.endswith(":create") for request in bench.mouth.heard)


def test_one_session_token_serves_many_sessions_and_clients(bench: Bench) -> None:
    for number in (MAIN_NR, OTHER_NR) * 3:
        list(bench.read(Resource.ACCOUNTS, session=bench.session({**GOOD, "org_nr": number})))

    assert made(bench) == 1


def test_another_key_never_uses_a_kept_token(bench: Bench) -> None:
    bench.provider.verify(bench.session())
    bench.provider.verify(bench.session(LONE))

    assert made(bench) == 2


def test_a_token_near_its_end_is_made_again(bench: Bench) -> None:
    bench.provider.verify(bench.session())
    kept = bench.vault.get("session")
    assert kept is not None
    bench.vault.put("session", {**kept, "until": "2026-01-01T00:00:00+00:00"})
    bench.provider.verify(bench.session())

    assert made(bench) == 2


def test_a_session_that_ends_in_the_middle_is_made_again_once(bench: Bench) -> None:
    bench.sandbox.fault("main", "session_expired", {"nth": 2})

    pages = list(bench.read(Resource.VOUCHERS, Full()))

    assert pages[-1].last
    assert made(bench) == 2


def test_a_token_renewed_by_somebody_else_is_taken_over(bench: Bench) -> None:
    session = bench.session()
    list(bench.read(Resource.ACCOUNTS, session=session))
    old = bench.vault.get("session")
    other = NoVault()
    bench.provider.verify(bench.session(vault=other))
    bench.vault.put("session", other.get("session"))
    assert old is not None
    bench.sandbox.store.drop("", "session", [old["token"]])

    list(bench.read(Resource.ACCOUNTS, session=session))

    assert made(bench) == 2


def test_the_older_way_to_make_a_session_is_taken_where_the_new_one_is_not_there(bench: Bench) -> None:
    bench.mouth.speak(":create", lambda request, _n: Answer(status=405) if request.method == "POST" else None)

    bench.provider.verify(bench.session())

    assert [request.method for request in bench.mouth.heard[:2]] == ["POST", "PUT"]
    assert BUREAU not in repr([replace(exchange, body=b"") for exchange in bench.exchanges])
