"""One problem per cause, muted and resolved by itself; the night that was not read; the bell."""

import re
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from apps.audit.models import AuditLine
from apps.clients.models import ApiToken, new_token, token_digest
from apps.connectors.actions import activate_connection, credential_works, stop_connection
from apps.connectors.models import Connection
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy, Who
from apps.core.scope import organisation_scope, system_scope
from apps.notifications.actions import Trouble, mute_problem, raise_problem, resolve_problems, unmute_problem
from apps.notifications.models import Affected, Problem, Webhook, WebhookEvent
from apps.notifications.queries import of_client, unread_of, waiting_problems
from apps.office.bell import bell_of
from apps.onboarding.enums import BUSY
from apps.onboarding.models import Batch
from apps.organisations.enums import Role
from apps.organisations.models import Organisation
from apps.sync import deadman
from apps.sync.deadman import ready_at, watch
from apps.sync.enums import RunState
from apps.sync.models import Run
from apps.sync.morning import greet
from tests.connectors.providers.tripletex.harness import error
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ConnectorFactory,
    FeedFactory,
    MembershipFactory,
    OrganisationFactory,
)
from tests.office.bureau import run_of, signed_in, trouble
from tests.onboarding.keys import make_bureau, norwegian, worked

KEY_REFUSED = Remedy(
    code="tripletex.bad_key", who=Who.BUREAU, title="The key is not accepted.", steps=("Make a new one.",)
)


@pytest.fixture(autouse=True)
def _scope(db: None) -> Any:
    with system_scope("tests"):
        yield


def refused(field: str | None, failure: Failure = Failure.RECONNECT) -> ConnectorError:
    return ConnectorError(failure, KEY_REFUSED, field)


def clients_of_one_key(organisation: Any, count: int) -> list[Connection]:
    shared = ConnectorFactory(organisation=organisation, values={"org_nr": "%ORGNR%"}, verified_at=timezone.now())
    made = []
    for index in range(count):
        client = ClientFactory(organisation=organisation, name=f"Kunde {index:03}")
        made.append(ConnectionFactory(client=client, connector=shared))
    return made


# -- One per cause ----------------------------------------------------------------------------------------------------


def test_a_refused_bureau_key_is_one_problem_that_names_its_clients(bureau: Any, owner: Any) -> None:
    connections = clients_of_one_key(bureau.organisation, 30)
    for connection in connections:
        stop_connection(connection, refused("api_key"))

    problem = Problem.objects.get()

    assert (problem.client, problem.subject_kind, problem.times) == (None, "connectors.connector", 30)
    assert Affected.objects.filter(problem=problem, cleared_at=None).count() == 30
    assert [list(of_client(connection.client)) for connection in connections[:2]] == [[problem], [problem]]
    shown = owner.get("/admin/").content.decode()
    assert shown.count("The key is not accepted.") == 1
    assert "Kunde 000" in shown
    assert "and 25 more" in shown
    assert "30 need a hand" in shown
    listed = owner.get("/admin/notifications/problem/").content.decode()
    assert "30 clients" in listed
    for path in (f"clients/client/{connections[7].client_id}/change/", f"connections/{connections[7].pk}/"):
        assert "The key is not accepted." in owner.get(f"/admin/{path}").content.decode()


@pytest.mark.parametrize("field", ["org_nr", None])
def test_what_is_refused_for_one_client_is_that_clients_problem(bureau: Any, field: str | None) -> None:
    for connection in clients_of_one_key(bureau.organisation, 2):
        stop_connection(connection, refused(field))

    assert list(Problem.objects.values_list("subject_kind", flat=True)) == ["connectors.connection"] * 2


def test_a_clients_own_key_is_its_own_problem(bureau: Any) -> None:
    client = ClientFactory(organisation=bureau.organisation)
    own = ConnectorFactory(organisation=bureau.organisation, client=client)

    stop_connection(ConnectionFactory(client=client, connector=own), refused("api_key"))

    assert Problem.objects.get().client == client


def test_it_ends_by_itself_when_the_vendor_accepts_the_key_again(vendor: Any, settings: Any) -> None:
    settings.KONTOR_HEARTBEAT_SECONDS = 60
    from apps.onboarding.actions import list_companies, start

    vendor.companies(*((f"Selskap {index}", norwegian(index)) for index in range(3)))
    made = make_bureau("vestvik")
    batch = worked(list_companies(connector=made.connector, actor=made.owner))
    start(batch=batch, chosen=set(batch.lines.values_list("pk", flat=True)), first_number=0, actor=made.owner)
    worked(batch)
    connections = list(Connection.objects.select_related("client__organisation", "connector"))
    vendor.mouth.speak("/", lambda _request, _count: error(401, 3000))
    for connection in connections:
        assert not activate_connection(connection=connection, actor=made.owner).ok
    assert waiting_problems().count() == 1
    assert Affected.objects.filter(cleared_at=None).count() == 3

    vendor.mouth.speak("/", None)
    connections[0].refresh_from_db()
    assert activate_connection(connection=connections[0], actor=made.owner).ok

    assert not waiting_problems().exists()
    assert not Affected.objects.filter(cleared_at=None).exists()


def test_what_was_seen_after_the_question_was_asked_is_not_over(bureau: Any) -> None:
    (connection,) = clients_of_one_key(bureau.organisation, 1)
    asked_at = timezone.now()
    stop_connection(connection, refused("api_key"))

    credential_works(connection.connector, before=asked_at)
    assert waiting_problems().count() == 1
    credential_works(connection.connector, before=timezone.now() + timedelta(seconds=1))
    assert waiting_problems().count() == 0


def test_a_shared_problem_of_one_bureau_is_not_seen_in_another(bureau: Any, other: Any) -> None:
    for connection in clients_of_one_key(other.organisation, 2):
        stop_connection(connection, refused("api_key"))

    person = bureau.member("owner")
    assert "The key is not accepted." not in signed_in(person).get("/admin/").content.decode()
    with organisation_scope({bureau.organisation.pk}):
        assert bell_of(person)["problems"] == []


# -- Muted ------------------------------------------------------------------------------------------------------------


def mute(browser: Any, problem: Problem, **given: str) -> int:
    values = {"until": "2026-11-27", "reason": "The client is on holiday.", **given}
    return int(browser.post(f"/admin/problems/{problem.pk}/mute/", values).status_code)


def test_what_is_muted_leaves_the_morning_until_its_day_is_over(bureau: Any, owner: Any) -> None:
    problem = trouble(bureau.connection)
    assert mute(owner, problem) == 302

    assert not waiting_problems().exists()
    assert "The key of Nordlys is not accepted." not in owner.get("/admin/").content.decode()
    assert "1 client has a muted problem" in owner.get("/admin/").content.decode()
    assert owner.get("/admin/bell/").json()["waiting"] == 0
    shown = owner.get(f"/admin/notifications/problem/{problem.pk}/change/").content.decode()
    assert "The client is on holiday." in shown
    line = AuditLine.objects.get(action="problem.muted")
    assert line.details == {"until": "2026-11-27", "reason": "The client is on holiday."}
    raise_again(bureau)
    assert not waiting_problems().exists()  # seen again, unchanged
    with time_machine.travel(datetime(2026, 11, 27, 22, 59, tzinfo=UTC)):
        assert not waiting_problems().exists()
    with time_machine.travel(datetime(2026, 11, 27, 23, 1, tzinfo=UTC)):
        assert waiting_problems().get() == problem


def raise_again(bureau: Any, **changed: Any) -> None:
    told = {"code": "vendor.bad_key", "failure": "reconnect", "who": "client",
            "title": "The key of {company} is not accepted.", "facts": {"company": "Nordlys"}}  # fmt: skip
    raise_problem(client=bureau.client, subject=bureau.connection, trouble=Trouble(**{**told, **changed}))


@pytest.mark.parametrize("changed", [{"title": "Worse."}, {"facts": {"company": "B"}}, {"failure": "setup"}])
def test_what_changes_is_muted_no_longer(bureau: Any, changed: dict[str, Any]) -> None:
    problem = trouble(bureau.connection)
    mute_problem(problem=problem, until=date(2026, 11, 27), reason="known", actor=None)

    raise_again(bureau, **changed)

    assert waiting_problems().get() == problem
    assert AuditLine.objects.filter(action="problem.changed_while_muted").count() == 1


def test_a_muted_shared_problem_speaks_when_it_hits_one_more_client(bureau: Any) -> None:
    first, second = clients_of_one_key(bureau.organisation, 2)
    stop_connection(first, refused("api_key"))
    mute_problem(problem=Problem.objects.get(), until=date(2026, 11, 27), reason="known", actor=None)

    stop_connection(first, refused("api_key"))
    assert not waiting_problems().exists()
    stop_connection(second, refused("api_key"))

    assert waiting_problems().exists()


def test_a_mute_ends_with_the_problem(bureau: Any) -> None:
    mute_problem(problem=trouble(bureau.connection), until=date(2026, 11, 27), reason="known", actor=None)
    resolve_problems(subject=bureau.connection)

    raise_again(bureau)

    assert waiting_problems().count() == 1


@pytest.mark.parametrize(
    ("until", "reason"), [(date(2026, 11, 19), "x"), (date(2028, 1, 1), "x"), (date(2026, 11, 27), "  ")]
)
def test_a_mute_needs_a_reason_and_a_day_within_a_year(bureau: Any, until: date, reason: str) -> None:
    problem = trouble(bureau.connection)

    with pytest.raises(ValidationError):
        mute_problem(problem=problem, until=until, reason=reason, actor=None)

    assert waiting_problems().get() == problem


@pytest.mark.parametrize(("role", "status"), [("accountant", 302), ("reviewer", 403), ("read_only", 403)])
def test_who_may_work_may_mute(bureau: Any, role: str, status: int) -> None:
    problem = trouble(bureau.connection)

    assert mute(signed_in(bureau.member(role)), problem) == status
    assert waiting_problems().exists() == (status == 403)


def test_another_bureaus_problem_is_not_muted(bureau: Any, other: Any, owner: Any) -> None:
    problem = trouble(other.connection)

    assert mute(owner, problem) == 404
    assert owner.post(f"/admin/problems/{problem.pk}/unmute/").status_code == 404
    assert waiting_problems().get() == problem


def test_a_mute_can_be_taken_back(bureau: Any) -> None:
    problem = trouble(bureau.connection)
    mute_problem(problem=problem, until=date(2026, 11, 27), reason="known", actor=None)
    unmute_problem(problem=problem, actor=None)

    assert waiting_problems().get() == problem


# -- The night that was not read --------------------------------------------------------------------------------------

NIGHT = date(2026, 11, 20)
BEFORE, READY = datetime(2026, 11, 20, 4, 59, tzinfo=UTC), datetime(2026, 11, 20, 5, 1, tzinfo=UTC)  # 6 in Oslo


def night_of(count: int) -> list[Any]:
    """Feeds that are due in the night of 20 November."""
    organisation = OrganisationFactory(time_zone="Europe/Oslo")
    feeds = []
    with time_machine.travel(datetime(2026, 11, 19, 12, tzinfo=UTC)):
        for index in range(count):
            client = ClientFactory(organisation=organisation, name=f"Natt {index}")
            feeds.append(FeedFactory(connection=ConnectionFactory(client=client)))
    return feeds


def read(feed: Any, state: str = RunState.SUCCEEDED, **values: Any) -> Run:
    with time_machine.travel(datetime(2026, 11, 20, 2, tzinfo=UTC)):
        return run_of(feed, state, night=NIGHT, **values)


def late() -> list[tuple[str, list[str]]]:
    return [
        (problem.title, sorted(row.client.name for row in problem.affected.filter(cleared_at=None)))
        for problem in Problem.objects.filter(code="night.late", resolved_at=None)
    ]


def test_a_night_that_nobody_read_is_one_problem_after_its_hour(settings: Any) -> None:
    feeds = night_of(3)

    assert (watch(BEFORE), late()) == (0, [])
    assert watch(READY) == 1
    watch(READY)

    told = "Nothing was read in the night of 2026-11-20: the workers do not work."
    assert late() == [(told, ["Natt 0", "Natt 1", "Natt 2"])]
    for feed in feeds:
        read(feed)
    assert (watch(READY), late()) == (0, [])


def test_a_feed_that_did_not_run_or_did_not_end_is_named(settings: Any) -> None:
    done, failed, running, waiting, missing = night_of(5)
    read(done)
    read(failed, RunState.FAILED)
    read(running, RunState.RUNNING, started_at=timezone.now())
    read(waiting, RunState.QUEUED)

    watch(READY)

    told = "3 of 5 clients were not read by 06:00 in the night of 2026-11-20; 2 have not been begun."
    assert late() == [(told, sorted(feed.client.name for feed in (running, waiting, missing)))]


def test_a_muted_night_stays_muted_while_it_gets_better_and_the_next_one_speaks(settings: Any) -> None:
    feeds = night_of(4)
    organisation = feeds[0].client.organisation
    hook = Webhook.objects.create(organisation=organisation, name="Tickets", host="a.example", all_clients=True)
    with time_machine.travel(READY, tick=True):
        watch(timezone.now())
        problem = Problem.objects.get()
        mute_problem(problem=problem, until=date(2026, 11, 27), reason="known", actor=None)
        told = hook.events.count()
        WebhookEvent.objects.update(begun_at=timezone.now())
        for feed in feeds[:2]:
            read(feed)
            watch(timezone.now())
    assert [title.split(" in ")[0] for title, _names in late()] == ["2 of 4 clients were not read by 06:00"]
    assert not waiting_problems().exists()
    assert hook.events.count() == told == 2

    with time_machine.travel(READY + timedelta(days=1), tick=True):
        watch(timezone.now())
        assert waiting_problems().get() == problem
    assert hook.events.count() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(database.vendor == "sqlite", reason="SQLite lets nobody write meanwhile")
@pytest.mark.parametrize("act", ["mute", "resolve"])
@pytest.mark.parametrize("first", [True, False])
def test_what_people_do_while_it_is_raised_again_is_not_undone(act: str, first: bool) -> None:  # noqa: FBT001
    """`first`: their transaction has the row already; otherwise it comes right after the raise has read it."""
    client = ClientFactory()
    told = Trouble(code="v.bad_key", failure="reconnect", who="client", title="The key is not accepted.")
    problem = raise_problem(client=client, subject=client, trouble=told)
    done = Event()

    def person() -> None:
        with system_scope("tests"), transaction.atomic():
            if act == "mute":
                mute_problem(problem=problem, until=timezone.localdate() + timedelta(days=2), reason="x", actor=None)
            else:
                resolve_problems(subject=client)
            done.set()
            if first:
                sleep(1)
        database.close()

    thread = Thread(target=person)

    def meanwhile(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        chosen = thread.ident is None and sql.startswith("SELECT") and 'FROM "notifications_problem"' in sql
        if chosen and first:
            thread.start()
            done.wait(20)
        result = execute(sql, params, many, context)
        if chosen and not first:
            thread.start()
            done.wait(1)
        return result

    with database.execute_wrapper(meanwhile):
        raise_problem(client=client, subject=client, trouble=told)
    thread.join(20)

    assert done.is_set()
    problem.refresh_from_db()
    assert problem.is_muted == (act == "mute")
    assert (problem.resolved_at is not None) == (act == "resolve")
    opened = Problem.objects.filter(resolved_at=None).count()
    assert opened == int(act == "mute" or first)  # resolved first, it is a new one


def test_what_was_read_by_hand_since_is_read(settings: Any) -> None:
    (feed,) = night_of(1)
    with time_machine.travel(datetime(2026, 11, 20, 4, tzinfo=UTC)):
        run_of(feed, RunState.SUCCEEDED)

    assert watch(READY) == 0


def test_paused_blocked_and_new_feeds_are_not_missed(settings: Any) -> None:
    paused, blocked, new = night_of(3)
    paused.enabled = False
    paused.save()
    Connection.objects.filter(pk=blocked.connection_id).update(state="blocked")
    type(new).objects.filter(pk=new.pk).update(created_at=READY)

    assert watch(READY) == 0


@pytest.mark.parametrize("hour", range(24))
def test_every_night_hour_has_a_time_by_which_it_is_judged_and_told(hour: int) -> None:
    (feed,) = night_of(1)
    organisation = feed.client.organisation
    MembershipFactory(organisation=organisation, role="owner")
    Organisation.objects.filter(pk=organisation.pk).update(night_hour=hour)
    organisation.refresh_from_db()
    ready = ready_at(organisation, NIGHT)
    begun = datetime(2026, 11, 20, hour, tzinfo=organisation.zone)
    second = timedelta(seconds=1)

    assert timedelta(hours=1) <= ready - begun <= timedelta(hours=12)
    assert (watch(ready - second), watch(ready)) == (0, 1)
    assert Problem.objects.get().facts["hour"] == f"{ready.astimezone(organisation.zone):%H:%M}"
    assert (greet(ready - second), greet(ready)) == (0, 1)


@pytest.mark.parametrize("path", ["/readyz", "/admin/bell/", "/api/v1/status"])
def test_dead_workers_are_noticed_by_whoever_asks(bureau: Any, owner: Any, path: str) -> None:
    night_of(2)
    deadman.LOOKED.clear()
    token = new_token()
    ApiToken.objects.create(organisation=bureau.organisation, name="x", digest=token_digest(token), all_clients=True)

    assert owner.get(path, headers={"authorization": f"Bearer {token}"}).status_code == 200

    assert [names for _title, names in late()] == [["Natt 0", "Natt 1"]]
    Problem.objects.all().delete()
    owner.get(path)
    assert late() == []  # at most once a minute


# -- The bell ---------------------------------------------------------------------------------------------------------


def test_the_bell_counts_what_the_person_has_not_seen(bureau: Any) -> None:
    person, colleague = bureau.member("owner"), bureau.member("accountant")
    browser = signed_in(person)
    trouble(bureau.connection)

    first = browser.get("/admin/bell/").json()
    assert (first["unread"], first["waiting"]) == (1, 1)
    assert first["problems"][0]["clients"] == "nordvik Nordlys AS"
    assert browser.post("/admin/bell/looked/").status_code == 204

    with time_machine.travel(datetime(2026, 11, 20, 9, tzinfo=UTC), tick=True):
        assert (browser.get("/admin/bell/").json()["unread"], unread_of(colleague, waiting_problems())) == (0, 1)
        raise_again(bureau, code="vendor.other")
        assert browser.get("/admin/bell/").json()["unread"] == 1


def test_the_bell_shows_what_runs_and_how_far_it_is(bureau: Any, owner: Any) -> None:
    run = run_of(bureau.feed, RunState.RUNNING, done=1240, expected=3100, started_at=timezone.now())

    told = owner.get("/admin/bell/").json()

    assert (told["running"], told["runs"][0]["percent"]) == (1, 40)
    assert told["runs"][0]["url"] == f"/admin/sync/run/{run.pk}/change/"
    assert "1,240 of about 3,100 vouchers" in told["runs"][0]["text"]


def test_the_bell_hangs_on_every_page_and_is_nobodys_without_a_role(bureau: Any, owner: Any, client: Any) -> None:
    for path in ("", "clients/client/", f"clients/client/{bureau.client.pk}/change/", "onboarding/", "connectors/new/"):
        assert owner.get(f"/admin/{path}").content.count(b'data-k-bell="/admin/bell/"') == 1, path
    assert client.get("/admin/bell/").status_code == 302
    assert owner.get("/admin/bell/looked/").status_code == 405


def test_the_bell_is_not_an_auditors_and_leads_nobody_to_a_closed_page(bureau: Any) -> None:
    for role in Role:
        browser = signed_in(bureau.member(role))
        page = browser.get("/admin/clients/client/").content.decode()
        links = re.findall(r'k-row-end" href="([^"]+)"', page)
        assert [browser.get(link).status_code for link in links] == [200] * len(links), role
        assert len(links) == (0 if role == "auditor" else 2), role


def test_the_bell_shows_batches_of_the_bureaus_where_the_person_manages(bureau: Any, other: Any) -> None:
    person = bureau.member("manager")
    MembershipFactory(user=person, organisation=other.organisation, role="reviewer")
    mine, _theirs = [
        Batch.objects.create(organisation=one.organisation, origin="file", state=BUSY[0], actor="x")
        for one in (bureau, other)
    ]

    told = signed_in(person).get("/admin/bell/").json()

    assert [run["url"] for run in told["runs"]] == [f"/admin/onboarding/{mine.pk}/"]


def test_the_bell_asks_the_same_however_many_problems(
    bureau: Any, owner: Any, django_assert_max_num_queries: Any
) -> None:
    for connection in clients_of_one_key(bureau.organisation, 40):
        stop_connection(connection, refused("org_nr"))
    deadman.LOOKED["at"] = 1e12

    with django_assert_max_num_queries(14):
        told = owner.get("/admin/bell/").json()

    deadman.LOOKED.clear()
    assert (told["waiting"], len(told["problems"]), told["more_problems"]) == (40, 8, True)
