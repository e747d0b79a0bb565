"""Clients taken in from a bureau's key and from a file, worked in this process against the vendor's sandbox."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.clients.reach import scope_of
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.models import Connection, Connector, RateBucket
from apps.connectors.sdk.sandbox import Answer, Row
from apps.connectors.sessions import candidate_session, declared, secrets_of
from apps.flows.models import Feed
from apps.notifications.models import Problem
from apps.onboarding.actions import check_file, companies_judged, list_companies, start, try_again
from apps.onboarding.claims import claim, reap, rows
from apps.onboarding.models import Batch, Line
from apps.onboarding.work import work
from apps.records.ledger import Identity
from apps.sync.models import Run
from apps.sync.timetable import start_due
from tests.connectors.providers.tripletex.harness import error
from tests.factories import ClientFactory, ConnectionFactory, FeedFactory
from tests.onboarding.keys import KEY, Bureau, Vendor, make_bureau, norwegian, told, worked

NORDLYS, HAVBRIS, FJELL = norwegian(0), norwegian(1), norwegian(2)


@pytest.fixture
def bureau(vendor: Vendor, scope: None, settings: Any) -> Bureau:
    settings.KONTOR_HEARTBEAT_SECONDS = 60  # no thread into a database that this test holds
    vendor.companies(("Nordlys AS", NORDLYS), ("Havbris AS", HAVBRIS), ("Fjell AS", FJELL))
    return make_bureau()


def listed(bureau: Bureau) -> Batch:
    return worked(list_companies(connector=bureau.connector, actor=bureau.owner))


def started(bureau: Bureau, batch: Batch, *, first: int = 0, names: tuple[str, ...] = ()) -> Batch:
    lines = Line.objects.filter(batch=batch, state="listed")
    lines = lines.filter(name__in=names) if names else lines
    chosen = set(lines.values_list("pk", flat=True))
    assert start(batch=batch, chosen=chosen, first_number=first, actor=bureau.owner)
    return batch


def from_file(bureau: Bureau, text: str, *, connects: bool = True) -> Batch:
    connector = bureau.connector if connects else None
    return check_file(
        organisation=bureau.organisation, connector=connector, name="klienter.csv", data=text.encode(),
        actor=bureau.owner,
    )  # fmt: skip


def test_what_is_ticked_is_made_verified_and_read_the_night_after(bureau: Bureau) -> None:
    batch = listed(bureau)
    assert told(batch) == [("Fjell AS", "listed", ""), ("Havbris AS", "listed", ""), ("Nordlys AS", "listed", "")]
    assert not Client.objects.exists()

    worked(started(bureau, batch, names=("Fjell AS", "Nordlys AS"), first=5000))

    assert batch.state == "ended"
    assert told(batch) == [("Fjell AS", "made", ""), ("Havbris AS", "listed", ""), ("Nordlys AS", "made", "")]
    clients = list(Client.objects.order_by("number").values_list("number", "name", "country", "organisation_number"))
    assert clients == [("5000", "Fjell AS", "NO", FJELL), ("5001", "Nordlys AS", "NO", NORDLYS)]
    found = Connection.objects.order_by("client__number").values_list("state", "organisation_number", "connector")
    assert list(found) == [("active", FJELL, bureau.connector.pk), ("active", NORDLYS, bureau.connector.pk)]
    assert [line.made for line in Line.objects.filter(client__isnull=False)] == [["client", "connection", "feed"]] * 2
    start_due(timezone.now() + timedelta(days=1))
    assert sorted(Run.objects.values_list("client__name", flat=True)) == ["Fjell AS", "Nordlys AS"]
    by = set(AuditLine.objects.exclude(action__startswith="run").values_list("action", "actor"))
    assert by >= {
        (action, str(bureau.owner))
        for action in ("onboarding.discover", "onboarding.started", "client.added", "connection.made",
                       "connection.activated", "feed.made")
    }  # fmt: skip


def test_the_same_again_makes_nothing(bureau: Bureau) -> None:
    worked(started(bureau, listed(bureau)))
    before = (Client.objects.count(), Connection.objects.count(), Feed.objects.count())

    batch = listed(bureau)
    assert [line.verdict for line in batch.lines.all()] == ["same"] * 3
    worked(started(bureau, batch))

    assert [state for _name, state, _code in told(batch)] == ["there"] * 3
    assert (Client.objects.count(), Connection.objects.count(), Feed.objects.count()) == before == (3, 3, 3)


def test_a_client_that_is_there_is_connected_and_keeps_its_name_and_number(bureau: Bureau) -> None:
    mine = ClientFactory(
        organisation=bureau.organisation, number="77", name="Nordlys Regnskap", organisation_number=NORDLYS
    )

    batch = worked(started(bureau, listed(bureau), names=("Nordlys AS",)))

    (line,) = batch.lines.filter(chosen=True)
    assert (line.client, line.state, line.made) == (mine, "made", ["connection", "feed"])
    mine.refresh_from_db()
    assert (mine.number, mine.name) == ("77", "Nordlys Regnskap")


def test_companies_without_a_number_or_with_the_same_one_cannot_be_chosen(bureau: Bureau, vendor: Vendor) -> None:
    vendor.companies(("Hytte privat", ""), ("Nordlys kopi", ""))
    store = vendor.mouth.store
    copy = next(row for row in store.rows("", "company") if row["name"] == "Nordlys kopi")
    store.put("", "company", [Row(id=copy["key"], data={**copy, "organizationNumber": NORDLYS})])

    batch = listed(bureau)

    assert [found for found in told(batch) if found[2]] == [
        ("Hytte privat", "refused", "company.no_number"),
        ("Nordlys AS", "refused", "company.twins"),
        ("Nordlys kopi", "refused", "company.twins"),
    ]


def test_one_number_in_two_countries_is_twins_too(bureau: Bureau) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="discover", state="listing", actor="x")
    found = [
        Identity(company_id=country, name=country, organisation_number=NORDLYS, country=country) for country in ("NO", "GB")
    ]  # fmt: skip

    assert [line.trouble["code"] for line in companies_judged(batch, found)] == ["company.twins"] * 2


def test_one_refused_company_leaves_the_others_alone_and_can_be_tried_again(bureau: Bureau, vendor: Vendor) -> None:
    batch = from_file(bureau, f"orgnr;navn\n{NORDLYS};Nordlys AS\n{norwegian(9)};Ikke Åpnet AS\n{FJELL};Fjell AS\n")

    worked(started(bureau, batch))

    assert batch.state == "ended"
    assert told(batch) == [
        ("Nordlys AS", "made", ""),
        ("Ikke Åpnet AS", "refused", "tripletex.company_not_opened"),
        ("Fjell AS", "made", ""),
    ]
    refused = batch.lines.get(state="refused")
    assert refused.told is not None
    assert refused.told.steps
    assert (refused.made, refused.connection.state) == (["client", "connection"], "new")

    vendor.companies(("Ikke Åpnet AS", norwegian(9)))
    assert try_again(batch=batch, actor=bureau.owner)
    worked(batch)

    assert [state for _name, state, _code in told(batch)] == ["made"] * 3
    assert (Client.objects.count(), Feed.objects.count()) == (3, 3)
    assert not Problem.objects.filter(resolved_at=None).exists()


def test_a_key_that_is_refused_stops_the_batch_at_the_first_company(bureau: Bureau, vendor: Vendor) -> None:
    batch = started(bureau, listed(bureau))
    vendor.mouth.speak("/", lambda _request, _count: error(401, 3000))

    worked(batch)

    assert (batch.state, batch.trouble["code"]) == ("stopped", "tripletex.bad_key")
    assert [state for _name, state, _code in told(batch)] == ["refused", "waiting", "waiting"]
    vendor.mouth.speak("/", None)
    assert try_again(batch=batch, actor=bureau.owner)
    worked(batch)
    assert [state for _name, state, _code in told(batch)] == ["made"] * 3


def test_a_key_that_is_refused_is_told_when_its_companies_are_asked_for(bureau: Bureau, vendor: Vendor) -> None:
    vendor.mouth.speak("/", lambda _request, _count: error(401, 3000))

    batch = listed(bureau)

    assert (batch.state, batch.trouble["code"], batch.lines.count()) == ("stopped", "tripletex.bad_key", 0)


def test_a_passing_failure_is_tried_again_after_the_others(bureau: Bureau, vendor: Vendor) -> None:
    batch = started(bureau, listed(bureau))
    first = next(str(row["id"]) for row in vendor.mouth.store.rows("", "company") if row["name"] == "Fjell AS")
    fails = [5]

    def say(_request: Any, _count: int) -> Answer | None:
        fails[0] -= 1
        return error(500, 1000) if fails[0] >= 0 else None

    vendor.mouth.speak(f"/company/{first}", say)

    worked(batch)

    assert [state for _name, state, _code in told(batch)] == ["made"] * 3
    assert batch.lines.get(name="Fjell AS").attempts == 2
    order = batch.lines.order_by("done_at").values_list("name", flat=True)
    assert list(order) == ["Havbris AS", "Nordlys AS", "Fjell AS"]


def used_up(bureau: Bureau, seconds: int) -> None:
    """What the bureau's key may ask is used up, by the night say."""
    provider, auth = declared("tripletex", None)
    session = candidate_session(
        provider=provider, auth=auth, given=secrets_of(bureau.connector), client=None, without=provider.identity_fields,
        recorder=ExchangeRecorder(organisation_id=bureau.organisation.pk),
    )  # fmt: skip
    session.limiter.learn(provider.limits, {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(seconds)}, 200)


def worked_once(batch: Batch) -> float:
    """Seconds for which the batch waits after one more task."""
    rows().filter(pk=batch.pk).update(not_before=None)
    began = timezone.now()
    work(batch.pk)
    batch.refresh_from_db()
    assert batch.not_before is not None
    return float((batch.not_before - began).total_seconds())


@pytest.mark.parametrize(("told_seconds", "wait"), [(600, 600), (40_000, 900)])
def test_a_batch_waits_for_the_vendors_limit_and_counts_no_attempt(
    bureau: Bureau, vendor: Vendor, told_seconds: int, wait: int
) -> None:
    batch = started(bureau, listed(bureau))
    used_up(bureau, told_seconds)
    vendor.mouth.heard.clear()

    waits = [worked_once(batch) for _ in range(5)]

    assert all(wait - 30 < seconds < wait + 10 for seconds in waits)
    assert vendor.mouth.heard == []
    assert set(batch.lines.values_list("state", "attempts")) == {("waiting", 0)}
    with time_machine.travel(timezone.now() + timedelta(seconds=wait / 2), tick=True):
        assert (reap(), claim(batch.pk)) == (0, None)  # not yet
    with time_machine.travel(timezone.now() + timedelta(seconds=wait + 10), tick=True):
        assert reap() == 1
    RateBucket.objects.all().delete()
    worked(batch)
    assert [state for _name, state, _code in told(batch)] == ["made"] * 3


def test_a_list_waits_for_the_vendors_limit_and_counts_no_attempt(bureau: Bureau, vendor: Vendor) -> None:
    batch = list_companies(connector=bureau.connector, actor=bureau.owner)
    used_up(bureau, 600)
    vendor.mouth.heard.clear()

    waits = [worked_once(batch) for _ in range(5)]

    assert all(570 < seconds < 610 for seconds in waits)
    assert (batch.state, batch.attempts, vendor.mouth.heard) == ("listing", 0, [])
    RateBucket.objects.all().delete()
    assert worked(batch).lines.count() == 3


def test_a_file_of_numbers_takes_the_names_from_the_other_system(bureau: Bureau) -> None:
    batch = worked(started(bureau, from_file(bureau, f"{NORDLYS}\n{FJELL}\n")))

    assert [state for _name, state, _code in told(batch)] == ["made", "made"]
    assert sorted(Client.objects.values_list("number", "name")) == [("1001", "Nordlys AS"), ("1002", "Fjell AS")]


def test_a_file_without_a_connector_makes_and_changes_clients_only(bureau: Bureau) -> None:
    ClientFactory(organisation=bureau.organisation, number="10", name="Havbris AS", organisation_number=HAVBRIS)
    text = f"nr;navn;orgnr;ansvarlig\n10;Havbris Drift AS;{HAVBRIS};{bureau.owner.email}\n11;Ny AS;{FJELL};\n"

    batch = worked(started(bureau, from_file(bureau, text, connects=False)))

    assert [(line.state, line.made) for line in batch.lines.all()] == [("changed", ["changes"]), ("made", ["client"])]
    changed = Client.objects.get(number="10")
    assert (changed.name, changed.responsible, changed.organisation_number) == (
        "Havbris Drift AS",
        bureau.owner,
        HAVBRIS,
    )
    assert not Connection.objects.exists()
    line = AuditLine.objects.get(action="client.changed")
    assert line.details["changes"]["name"] == ["Havbris AS", "Havbris Drift AS"]


def test_a_number_that_a_later_line_asks_for_is_given_to_no_other(bureau: Bureau) -> None:
    ClientFactory(organisation=bureau.organisation, number="77")
    batch = from_file(bureau, f"nr;orgnr;name\n;{NORDLYS};A\n78;{HAVBRIS};B\n;{FJELL};C\n", connects=False)
    assert [line.verdict for line in batch.lines.all()] == ["new"] * 3

    worked(started(bureau, batch))

    made = Line.objects.filter(batch=batch).values_list("name", "state", "client__number")
    assert list(made) == [("A", "made", "79"), ("B", "made", "78"), ("C", "made", "80")]


def test_what_changed_between_check_and_start_is_told_and_left(bureau: Bureau) -> None:
    mine = ClientFactory(organisation=bureau.organisation, number="10", name="Havbris AS", organisation_number=HAVBRIS)
    text = f"nr;navn;orgnr\n10;Havbris Drift AS;{HAVBRIS}\n11;Fjell AS;{FJELL}\n"
    batch = from_file(bureau, text, connects=False)
    Client.objects.filter(pk=mine.pk).update(name="Havbris Holding AS")
    other = ClientFactory(organisation=bureau.organisation, number="11", name="Annen AS", organisation_number=NORDLYS)

    worked(started(bureau, batch))

    assert [code for _name, _state, code in told(batch)] == ["line.changed_meanwhile", "line.other_company"]
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.name, other.organisation_number, Client.objects.count()) == ("Havbris Holding AS", NORDLYS, 2)


def test_books_that_come_from_elsewhere_stay_there(bureau: Bureau) -> None:
    mine = ClientFactory(organisation=bureau.organisation, organisation_number=NORDLYS)
    feed = FeedFactory(connection=ConnectionFactory(client=mine))

    batch = worked(started(bureau, listed(bureau), names=("Nordlys AS",)))

    assert told(batch)[2] == ("Nordlys AS", "refused", "onboarding.fed_already")
    assert list(Feed.objects.all()) == [feed]


def test_who_lost_the_right_meanwhile_makes_nothing(bureau: Bureau) -> None:
    batch = started(bureau, listed(bureau))
    bureau.owner.membership_set.all().update(role="accountant")

    worked(batch)

    assert (batch.state, batch.trouble["code"], Client.objects.count()) == ("stopped", "onboarding.not_allowed", 0)


def test_a_batch_is_started_once_and_a_doubled_task_finds_nothing(bureau: Bureau) -> None:
    batch = started(bureau, listed(bureau))

    assert not start(batch=batch, chosen=set(), first_number=0, actor=bureau.owner)
    assert claim(batch.pk) is not None
    assert claim(batch.pk) is None


def test_a_lost_task_is_queued_again_but_not_one_that_waits(bureau: Bureau) -> None:
    batch = started(bureau, listed(bureau))
    rows().filter(pk=batch.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert reap() == 0  # its task is in the queue still

    OrmQ.objects.all().delete()
    assert reap() == 1
    assert worked(batch).state == "ended"
    assert reap() == 0


def test_a_company_that_ends_its_worker_is_given_up_and_the_others_are_made(bureau: Bureau) -> None:
    batch = started(bureau, listed(bureau))
    Line.objects.filter(batch=batch, name="Havbris AS").update(attempts=3)

    worked(batch)

    assert told(batch)[1] == ("Havbris AS", "refused", "onboarding.crashed")
    assert Client.objects.count() == 2


def test_another_bureaus_connector_is_no_way_in(bureau: Bureau) -> None:
    other = make_bureau("sorvik", key=KEY)

    with pytest.raises(ValueError, match="own"):
        check_file(
            organisation=other.organisation,
            connector=bureau.connector,
            name="a.csv",
            data=b"orgnr\n",
            actor=other.owner,
        )


def test_what_no_provider_lists_is_not_offered(bureau: Bureau) -> None:
    from apps.connectors.actions import lists_companies

    assert lists_companies(bureau.connector)
    bureau.connector.values = {**bureau.connector.values, "org_nr": ""}  # a single company's key
    assert not lists_companies(bureau.connector)
    assert not lists_companies(Connector(provider="netvisor", values={"organisation_id": "%ORGNR%"}))
    assert not lists_companies(Connector(provider="fortnox", auth="oauth_code"))
    assert not lists_companies(Connector(provider="gone"))


def test_a_client_that_whoever_started_it_does_not_see_is_neither_touched_nor_named(bureau: Bureau) -> None:
    hidden = ClientFactory(
        organisation=bureau.organisation, organisation_number=FJELL, number="77", name="Secret AS", restricted=True
    )
    text = f"number;organisation number;name\n;{FJELL};Mine AS\n77;{NORDLYS};Nordlys AS\n;{HAVBRIS};Havbris AS\n"

    with scope_of(bureau.owner, "signed in"):
        batch = from_file(bureau, text)
        assert told(batch) == [
            ("Mine AS", "refused", "line.unseen"), ("Nordlys AS", "refused", "line.unseen"), ("Havbris AS", "listed", ""),
        ]  # fmt: skip
    found = listed(bureau)
    with scope_of(bureau.owner, "signed in"):
        assert [name for name, _state, _code in told(found)] == ["Havbris AS", "Nordlys AS"]
        started(bureau, found)

    Line.objects.filter(batch=found, name="Fjell AS").update(state="waiting", chosen=True)
    worked(found)

    assert ("Fjell AS", "refused", "line.unseen") in told(found)
    assert not Connection.objects.filter(client=hidden).exists()
    assert "Secret" not in str(list(Line.objects.values("trouble", "changes", "name")))
