"""What every provider must do (shared/SDK.md 6, the reading part), run against its sandbox over HTTP."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import Full, Gone, Window
from apps.connectors.sdk.sandbox import Answer, Request
from apps.connectors.sdk.session import Exchange
from apps.records.enums import Counts, Resource
from apps.records.json import from_json, to_json
from apps.records.ledger import Record, Voucher
from tests.connectors.bench import Bench, refusal


def test_verify_names_the_company_and_changes_nothing(bench: Bench) -> None:
    found = bench.provider.verify(bench.session())

    assert (found.company_id, found.organisation_number) == (
        bench.harness.company_id(bench.sandbox),
        bench.harness.organisation_number,
    )
    assert bench.changes == 0


def test_verify_with_a_bad_key_asks_to_reconnect(bench: Bench) -> None:
    error = refusal(lambda: bench.provider.verify(bench.session(bench.harness.bad_key)))

    assert error.failure in (Failure.RECONNECT, Failure.SETUP)
    assert error.field in {spec.name for spec in bench.provider.fields()}
    assert bench.changes == 0


def test_a_missing_right_is_told_as_permission(bench: Bench) -> None:
    bench.harness.missing_right(bench.sandbox)

    error = refusal(lambda: list(bench.read(Resource.VOUCHERS, bench.harness.long_window)))

    assert error.failure is Failure.PERMISSION
    assert bench.changes == 0


def test_a_key_of_another_company_names_that_company(bench: Bench) -> None:
    found = bench.provider.verify(bench.session(bench.harness.other_company))

    assert found.company_id != bench.harness.company_id(bench.sandbox)
    assert found.organisation_number != bench.harness.organisation_number
    assert bench.changes == 0


def test_discover_lists_every_company_of_the_key(bench: Bench) -> None:
    if bench.provider.discover is None:
        assert bench.harness.companies == 0
        pytest.skip("the vendor has no list of companies")
    found = list(bench.provider.discover(bench.session()))

    assert len({identity.company_id for identity in found}) == len(found) == bench.harness.companies
    assert bench.harness.organisation_number in {identity.organisation_number for identity in found}


def test_every_declared_resource_is_read_whole_and_survives_json(bench: Bench) -> None:
    for resource in bench.provider.resources:
        pages = list(bench.read(resource, Full()))
        records = [record for page in pages for record in page.records]

        assert records, f"{resource}: nothing was read"
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True], resource
        for record in records:
            assert_survives_json(record)
            if isinstance(record, Voucher):
                assert sum((posting.amount for posting in record.postings), Decimal(0)) == 0
    assert bench.changes == 0


def test_paging_over_three_pages_gives_every_voucher_once(bench: Bench) -> None:
    pages = list(bench.read(Resource.VOUCHERS, bench.harness.long_window))

    filled = [page for page in pages if page.records]
    ids = [record.external_id for page in pages for record in page.records]
    assert len(filled) >= 3
    assert len(ids) == len(set(ids)) == bench.harness.long_ids


def test_a_window_is_inclusive_on_both_ends(bench: Bench) -> None:
    edge = bench.harness.edge

    days = {
        record.date
        for page in bench.read(Resource.VOUCHERS, Window(edge, edge + timedelta(days=1)))
        for record in page.records
        if isinstance(record, Voucher)
    }

    assert days == {edge, edge + timedelta(days=1)}


def test_reading_goes_on_after_a_cut_page_without_loss(bench: Bench) -> None:
    whole = {r.external_id for page in bench.read(Resource.VOUCHERS, bench.harness.long_window) for r in page.records}
    bench.mouth.speak(bench.harness.page_path, lambda request, n: cut(bench, request) if n >= 2 else None)
    seen, resume = set(), None

    with pytest.raises(ConnectorError) as caught:  # noqa: PT012 - what came before the cut is kept
        for page in bench.read(Resource.VOUCHERS, bench.harness.long_window):
            seen |= {record.external_id for record in page.records}
            resume = page.resume
    assert caught.value.failure is Failure.TRANSIENT
    assert resume is not None
    assert seen < whole

    bench.mouth.speak("", None)
    for page in bench.read(Resource.VOUCHERS, bench.harness.long_window, resume=resume):
        seen |= {record.external_id for record in page.records}
    assert seen == whole


def test_a_gone_voucher_is_told_as_gone(bench: Bench) -> None:
    getter = bench.provider.resources[Resource.VOUCHERS].get
    assert getter is not None
    there = next(r for page in bench.read(Resource.VOUCHERS, bench.harness.long_window) for r in page.records)

    found = list(getter(bench.session(), [there.external_id, bench.harness.gone_id]))

    assert found == [
        replace(there, raw=found[0].raw, texts_through=None),  # type: ignore[union-attr]
        Gone(external_id=bench.harness.gone_id, resource=Resource.VOUCHERS),
    ]


def test_every_refusal_becomes_its_failure_and_remedy(bench: Bench) -> None:
    for refused in bench.harness.refusals:
        bench.mouth.speak(bench.harness.page_path, lambda _request, _n, said=refused.answer: replace(said))

        error = refusal(lambda: list(bench.read(Resource.VOUCHERS, bench.harness.long_window)))

        assert error.failure is refused.failure, refused.name
        assert refused.code in (None, error.remedy.code), refused.name
        assert refused.retry_after in (None, error.retry_after), refused.name
        assert error.remedy.steps, refused.name


@pytest.mark.parametrize("status", [401, 402, 403, 404, 422, 429, 500])
def test_the_harness_covers_the_status(bench: Bench, status: int) -> None:
    assert status in {refused.answer.status for refused in bench.harness.refusals}


def test_a_limit_that_lasts_is_waited_for_and_then_handed_back(bench: Bench) -> None:
    bench.mouth.speak(
        bench.harness.page_path, lambda _r, n: Answer(status=429, headers={"Retry-After": "2"}) if n < 3 else None
    )
    assert list(bench.read(Resource.VOUCHERS, bench.harness.long_window))[-1].last
    assert [wait for wait in bench.slept if wait >= 2] == [2.0, 2.0]

    bench.mouth.speak(bench.harness.page_path, lambda _r, _n: Answer(status=429, headers={"Retry-After": "90"}))
    error = refusal(lambda: list(bench.read(Resource.VOUCHERS, bench.harness.long_window)))
    assert (error.failure, error.retry_after) == (Failure.TRANSIENT, 90.0)


def test_a_dropped_line_is_passed_on_and_does_not_balance(bench: Bench) -> None:
    bench.harness.drop_line(bench.sandbox)

    crooked = [
        record
        for page in bench.read(Resource.VOUCHERS, Full())
        for record in page.records
        if isinstance(record, Voucher)
        and record.counts is Counts.POSTED
        and sum((posting.amount for posting in record.postings), Decimal(0)) != 0
    ]

    assert len(crooked) == 1


def test_secrets_stand_nowhere_in_what_is_kept(bench: Bench) -> None:
    errors = [refusal(lambda: bench.provider.verify(bench.session(bench.harness.bad_key)))]
    bench.provider.verify(bench.session())
    list(bench.read(Resource.VOUCHERS, bench.harness.long_window))
    secrets = (*bench.harness.canaries, bench.harness.issued(bench.vault))
    bench.mouth.speak(
        bench.harness.page_path,
        lambda _r, _n: Answer(status=400, body=json.dumps({"echo": list(secrets)}).encode()),
    )
    errors.append(refusal(lambda: list(bench.read(Resource.VOUCHERS, bench.harness.long_window))))

    on_the_wire = " ".join(f"{request.headers} {request.query} {request.body!r}" for request in bench.mouth.heard)
    travels = bench.harness.canaries if bench.harness.travels is None else bench.harness.travels
    for canary in bench.harness.canaries:  # the search finds what is there
        assert (canary in on_the_wire) is (canary in travels)
    planted = replace(bench.exchanges[0], url=f"https://x/?a={secrets[0]}")
    assert leaks([planted], [], secrets)
    assert not leaks(bench.exchanges, errors, secrets)


def leaks(exchanges: list[Exchange], errors: list[ConnectorError], secrets: tuple[str, ...]) -> list[str]:
    kept = [repr(exchange) for exchange in exchanges]
    kept += [f"{error} {error.detail} {error.facts} {error.__cause__}" for error in errors]
    return [secret for secret in secrets for text in kept if secret in text]


def assert_survives_json(record: Record) -> None:
    printed = json.loads(json.dumps(to_json(record)))
    assert from_json(type(record), printed) == replace(record, raw=None)


def cut(bench: Bench, request: Request) -> Answer:
    answer = bench.sandbox.handle(request)
    answer.cut_after = len(answer.body) // 2
    return answer
