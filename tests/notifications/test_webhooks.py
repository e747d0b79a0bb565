"""Webhooks out: to a real HTTP server, which checks them as a receiver does."""

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone
from django_q.models import OrmQ, Success
from django_q.tasks import async_task
from standardwebhooks.webhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError

from apps.audit.models import AuditLine
from apps.clients.models import Assignment
from apps.core.scope import organisation_scope, system_scope
from apps.notifications import delivery, webhooks
from apps.notifications.actions import (
    Trouble,
    keep_affected,
    mute_problem,
    raise_problem,
    resolve_problems,
    unmute_problem,
)
from apps.notifications.models import Problem, Webhook, WebhookEvent, WebhookSecret
from apps.notifications.tasks import tell
from apps.sync.broker import calling
from apps.sync.enums import Lane
from tests.conftest import Manage
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory, MembershipFactory, OrganisationFactory
from tests.office.bureau import signed_in
from tests.sync.bureau import start as started


class Server(ThreadingHTTPServer):
    """Keeps what it gets: headers, body. `answers` are given to the next ones in their place."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.seconds = 0.0  # before it answers
        self.hold: threading.Event | None = None
        self.dripped: list[float] = []  # when a line of an answer without end was sent
        self.drips = False
        self.url = f"http://127.0.0.1:{self.server_port}/hooks/in-the-path"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.server.got.append((dict(self.headers), body))
        time.sleep(self.server.seconds)
        if self.server.hold is not None:
            self.server.hold.wait(60)
        if self.server.drips:
            return self.drip()
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(OSError):
            while len(self.server.dripped) < 40:
                self.wfile.write(b"X-More: to come\r\n")
                self.server.dripped.append(time.monotonic())
                time.sleep(0.2)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(autouse=True)
def _scope(db: None) -> Iterator[None]:
    with system_scope("tests"):
        yield


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    found = Server()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    settings.CONNECTOR_ALLOW_PRIVATE_HOSTS = [f"127.0.0.1:{found.server_port}"]
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def bureau(db: None) -> Any:
    return OrganisationFactory()


def hook_of(bureau: Any, url: str, **values: Any) -> Webhook:
    given = {"all_clients": True, "name": "Tickets", **values}
    hook = Webhook.objects.create(organisation=bureau, host=webhooks.host_of(url), **given)
    WebhookSecret.objects.create(webhook=hook, url=url, secret=webhooks.new_secret())
    return hook


def trouble(client: Any, code: str = "v.bad_key", title: str = "The key is not accepted.", **facts: str) -> Problem:
    told = Trouble(code=code, failure="reconnect", who="client", title=title, steps=("Make a new key.",), facts=facts)
    return raise_problem(client=client, subject=client, trouble=told)


def read(hook: Webhook, got: tuple[dict[str, str], bytes]) -> dict[str, Any]:
    headers, body = got
    found: dict[str, Any] = Receiver(hook.sealed.secret or "").verify(body, headers)
    return found


def kinds(server: Server) -> list[str]:
    return [json.loads(body)["type"] for _headers, body in server.got]


def test_a_problem_is_told_when_it_opens_changes_and_ends(bureau: Any, server: Server, settings: Any) -> None:
    settings.KONTOR_URL = "https://kontor.example/"
    hook = hook_of(bureau, server.url)
    client = ClientFactory(organisation=bureau, name="Nordlys AS", number="12", organisation_number="987463104")

    problem = trouble(client)
    assert tell(hook.pk) == "1 told"
    trouble(client)  # seen again, the same: no news
    assert not WebhookEvent.objects.filter(ended_at=None).exists()
    trouble(client, company="Nordlys")
    tell(hook.pk)
    mute_problem(problem=problem, until=timezone.localdate(), reason="known", actor=None)
    tell(hook.pk)
    resolve_problems(subject=client)
    tell(hook.pk)

    told = [read(hook, got) for got in server.got]
    assert [one["type"] for one in told] == ["problem.opened", "problem.changed", "problem.changed", "problem.resolved"]
    assert [one["data"]["problem"]["state"] for one in told] == ["open", "open", "muted", "resolved"]
    assert told[0]["data"] == {
        "bureau": {"id": bureau.pk, "name": bureau.name},
        "problem": {
            "id": problem.pk, "code": "v.bad_key", "kind": "reconnect", "who": "client", "state": "open", "times": 1,
            "title": "The key is not accepted.", "steps": ["Make a new key."],
            "since": problem.first_at.isoformat(), "last_seen": problem.last_at.isoformat(),
            "resolved_at": None, "muted_until": None, "clients_in_all": 1,
            "clients": [{"number": "12", "name": "Nordlys AS", "organisation_number": "987463104"}],
            "url": f"https://kontor.example/admin/notifications/problem/{problem.pk}/change/",
        },
    }  # fmt: skip
    assert len({headers["webhook-id"] for headers, _body in server.got}) == 4


def test_the_signature_is_the_one_of_standard_webhooks(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    trouble(ClientFactory(organisation=bureau))
    tell(hook.pk)

    ((headers, body),) = server.got
    key = base64.b64decode((hook.sealed.secret or "").removeprefix("whsec_"))
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    by_hand = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{by_hand}"
    with pytest.raises(WebhookVerificationError):
        Receiver(hook.sealed.secret or "").verify(body.replace(b"opened", b"closed"), headers)
    with pytest.raises(WebhookVerificationError):
        Receiver(webhooks.new_secret()).verify(body, headers)


def test_for_a_day_the_former_secret_signs_too(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    former = hook.sealed.secret or ""
    new, _dropped = webhooks.renew_secret(webhook=hook, actor=None)
    webhooks.send_test(webhook=hook, actor=None)
    tell(hook.pk)

    ((headers, body),) = server.got
    assert new != former
    for secret in (former, new):
        assert Receiver(secret).verify(body, headers)["type"] == "webhook.test"

    with time_machine.travel(timezone.now() + timedelta(hours=25), tick=True):
        webhooks.send_test(webhook=hook, actor=None)
        tell(hook.pk)
        headers, body = server.got[-1]
        assert Receiver(new).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Receiver(former).verify(body, headers)


def test_a_receiver_that_fails_costs_one_call_a_wait_and_loses_nothing(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    server.answers = [500, 302, 404]
    problems = [trouble(ClientFactory(organisation=bureau), title=f"Trouble {n}.") for n in range(3)]

    assert [tell(hook.pk) for _ in range(4)] == ["failed", "not ours", "not ours", "not ours"]
    assert len(server.got) == 1
    ids = [server.got[0][0]["webhook-id"]]
    waits = []
    now = timezone.now()
    for _ in range(2):
        hook.refresh_from_db()
        waits.append((hook.not_before or now) - now)
        now = hook.not_before or now
        with time_machine.travel(now, tick=True):
            assert delivery.reap() == 1
            assert delivery.reap() == 0
            assert tell(hook.pk) == "failed"
    with system_scope("tests"):
        complaint = Problem.objects.get(code=delivery.REFUSED, resolved_at=None)
    assert complaint.title == "The webhook “Tickets” is not taken: HTTP 404."
    hook.refresh_from_db()
    with time_machine.travel(hook.not_before, tick=True):  # type: ignore[arg-type] # it failed
        delivery.reap()
        assert tell(hook.pk) == "3 told"

    told = [json.loads(body)["data"]["problem"]["id"] for _headers, body in server.got]
    assert told == [problems[0].pk] * 3 + [problem.pk for problem in problems]
    ids += [headers["webhook-id"] for headers, _body in server.got[1:4]]
    assert len(set(ids)) == 1  # by it the receiver knows what it has
    assert waits[1] > waits[0] * 1.5
    assert not Problem.objects.filter(code=delivery.REFUSED, resolved_at=None).exists()
    hook.refresh_from_db()
    assert (hook.failures, hook.last_error, hook.failing_since) == (0, "", None)


def test_what_happens_while_it_waits_is_told_once_and_as_it_then_is(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    client = ClientFactory(organisation=bureau)
    trouble(client)
    for n in range(5):
        trouble(client, company=f"Company {n}")
    resolve_problems(subject=client)
    tell(hook.pk)

    assert kinds(server) == ["problem.opened", "problem.changed", "problem.resolved"]
    assert {json.loads(body)["data"]["problem"]["state"] for _headers, body in server.got} == {"resolved"}


def test_it_is_paused_when_the_receiver_wants_no_more_or_after_days(bureau: Any, server: Server, settings: Any) -> None:
    gone, dead = hook_of(bureau, server.url, name="Gone"), hook_of(bureau, server.url, name="Dead")
    trouble(ClientFactory(organisation=bureau))
    server.answers = [410, 503, 503]

    assert tell(gone.pk) == "paused"
    assert tell(dead.pk) == "failed"
    with time_machine.travel(timezone.now() + timedelta(days=settings.KONTOR_WEBHOOK_DAYS, hours=1), tick=True):
        assert tell(dead.pk) == "paused"
        assert tell(dead.pk) == "not ours"
        assert delivery.reap() == 0
        assert Problem.objects.filter(code=delivery.REFUSED, failure="setup").count() == 2
        webhooks.resume(webhook=dead, actor=None)
        assert tell(dead.pk) == "1 told"

    assert kinds(server).count("problem.opened") == 4


@pytest.mark.parametrize("seen", [("open",), ("restricted",)])
def test_it_tells_of_the_clients_it_may_see_only(bureau: Any, server: Server, seen: tuple[str, ...]) -> None:
    clients = {
        "open": ClientFactory(organisation=bureau, name="Åpen AS"),
        "restricted": ClientFactory(organisation=bureau, name="Hemmelig AS", restricted=True),
    }
    hook = hook_of(bureau, server.url, all_clients=seen == ("open",))
    if seen != ("open",):
        hook.clients.set(clients[name] for name in seen)
    elsewhere = hook_of(OrganisationFactory(), server.url)
    for client in clients.values():
        trouble(client)
    shared = ConnectorFactory(organisation=bureau)
    for client in clients.values():
        ConnectionFactory(client=client, connector=shared)
    told = Trouble(code="v.key", failure="reconnect", who="bureau", title="The bureau's key is not accepted.")
    raise_problem(client=None, subject=shared, trouble=told, clients=clients.values())

    assert (tell(hook.pk), tell(elsewhere.pk)) == ("2 told", "0 told")
    text = b"".join(body for _headers, body in server.got).decode()
    names = {name: client.name in text for name, client in clients.items()}
    assert names == {name: name in seen for name in clients}
    assert json.loads(server.got[1][1])["data"]["problem"]["clients_in_all"] == 1
    assert WebhookEvent.objects.filter(webhook=hook, told=False).count() == 1


def test_it_names_whom_the_problem_still_hits_and_at_the_end_whom_it_hit_last(bureau: Any, server: Server) -> None:
    clients = [ClientFactory(organisation=bureau, number=str(n)) for n in range(3)]
    hook = hook_of(bureau, server.url)
    of_the_first = hook_of(bureau, server.url, all_clients=False)
    of_the_first.clients.set(clients[:1])
    told = Trouble(code="night.late", failure="transient", who="bureau", title="Clients were not read.")
    problem = raise_problem(client=None, subject=bureau, trouble=told, clients=clients)
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=True):
        keep_affected(problem, clients[1:])
        mute_problem(problem=problem, until=timezone.localdate(), reason="known", actor=None)
        tell(hook.pk)
        resolve_problems(subject=bureau)
        tell(hook.pk)
        tell(of_the_first.pk)

    def named(got: tuple[dict[str, str], bytes]) -> tuple[str, str, list[str]]:
        found = json.loads(got[1])["data"]["problem"]
        numbers = [one["number"] for one in found["clients"]]
        assert found["clients_in_all"] == len(numbers)
        return json.loads(got[1])["type"].partition(".")[2], found["state"], sorted(numbers)

    assert [named(got) for got in server.got] == [
        ("opened", "muted", ["1", "2"]), ("changed", "muted", ["1", "2"]), ("resolved", "resolved", ["1", "2"]),
        # it was told of the problem, so it is told of its end
        ("opened", "resolved", []), ("changed", "resolved", []), ("resolved", "resolved", []),
    ]  # fmt: skip


def test_figures_of_hidden_books_are_not_told(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    client = ClientFactory(organisation=bureau, hidden_at=timezone.now())
    trouble(client, code="ledger.differs", title="Account 1500 differs by 1,234.50.")
    trouble(client, code="v.bad_key")

    assert tell(hook.pk) == "1 told"
    assert b"1,234.50" not in server.got[0][1]


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "https://127.0.0.1/", "https://2130706433/", "https://localhost/x", "ftp://a.example/"],
)
def test_an_address_inside_is_not_taken_and_not_called(bureau: Any, url: str) -> None:
    owner = MembershipFactory(organisation=bureau, role="owner").user
    browser = signed_in(owner)
    form = {"organisation": bureau.pk, "name": "Inside", "url": url, "all_clients": "on"}

    shown = browser.post("/admin/notifications/webhook/add/", form).content.decode()
    assert "Kontor does not send to this address" in shown or "Enter a valid URL" in shown
    assert not Webhook.objects.exists()

    hook = hook_of(bureau, url)
    webhooks.send_test(webhook=hook, actor=None)
    assert tell(hook.pk) == "failed"


def test_why_an_address_is_not_taken_is_said_in_the_readers_language(
    bureau: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"{host} is a name of this machine or network": "{host} er et navn i dette nettet"}
    monkeypatch.setattr("apps.notifications.models.translate", lambda text: words.get(text, text))
    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)
    form = {"organisation": bureau.pk, "name": "Inside", "url": "https://localhost/x", "all_clients": "on"}

    shown = browser.post("/admin/notifications/webhook/add/", form).content.decode()
    assert "Kontor does not send to this address: localhost er et navn i dette nettet." in shown


def test_the_address_and_the_secret_are_nowhere_in_clear(bureau: Any, server: Server, caplog: Any) -> None:
    hook = hook_of(bureau, server.url)
    server.answers = [500] * 3
    trouble(ClientFactory(organisation=bureau))
    tell(hook.pk)
    server.server_close()
    server.shutdown()
    for _ in range(3):
        Webhook.objects.update(not_before=None)
        tell(hook.pk)

    hook.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM notifications_webhook JOIN notifications_webhooksecret ON id = webhook_id")
        stored = repr([tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor.fetchall()])
    assert "gAAAA" in stored
    said = caplog.text + hook.last_error + repr(list(AuditLine.objects.values())) + repr(list(Problem.objects.values()))
    said += repr(list(OrmQ.objects.values("payload")))
    assert hook.failures >= 2
    for secret in ("in-the-path", (hook.sealed.secret or "")[6:]):
        assert secret not in stored + said


def test_two_senders_do_not_tell_at_once(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    trouble(ClientFactory(organisation=bureau))

    assert delivery._claimed(hook.pk) is not None
    assert tell(hook.pk) == "not ours"
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):  # its sender is gone
        assert delivery.reap() == 1
        assert tell(hook.pk) == "1 told"
    assert len(server.got) == 1


def test_a_lost_task_is_queued_again(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    trouble(ClientFactory(organisation=bureau))
    OrmQ.objects.all().delete()

    assert delivery.reap() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):
        assert delivery.reap() == 1
        assert delivery.reap() == 0
        assert OrmQ.objects.count() == 1
        assert tell(hook.pk) == "1 told"


def test_a_receiver_that_drips_its_answer_is_left_at_the_deadline(
    bureau: Any, server: Server, settings: Any, wait_until: Callable[..., None]
) -> None:
    settings.KONTOR_WEBHOOK_SECONDS = 1
    hook = hook_of(bureau, server.url)
    webhooks.send_test(webhook=hook, actor=None)
    server.drips = True

    began = time.monotonic()
    assert tell(hook.pk) == "failed"
    assert time.monotonic() - began < 4  # it would drip for eight
    hook.refresh_from_db()
    assert (hook.failure, hook.failures, hook.token) == ("no answer within 1 s", 1, "")
    assert (hook.not_before or began) > timezone.now()
    wait_until(lambda: not any(one.name == "webhook" for one in threading.enumerate()), seconds=5)
    assert len(server.dripped) < 40  # its connection was shut


@pytest.mark.django_db(transaction=True)
def test_however_much_happens_one_task_is_on_its_way_and_none_too_few(
    server: Server, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    bureau = OrganisationFactory()
    hook = hook_of(bureau, server.url)
    for n in range(30):
        trouble(ClientFactory(organisation=bureau), title=f"Trouble {n}.")
    webhooks.send_test(webhook=hook, actor=None)
    webhooks.send_test(webhook=hook, actor=None)
    assert OrmQ.objects.count() == 1
    assert hook.events.filter(kind="webhook.test").count() == 1
    assert OrmQ.objects.get().key == calling("nightly")

    OrmQ.objects.all().delete()
    monkeypatch.setattr(delivery, "SLICE_SECONDS", 0.5)
    hook.events.filter(pk__gt=hook.events.order_by("pk")[0].pk).delete()
    server.hold = threading.Event()

    def sender() -> None:
        with system_scope("tests"):
            tell(hook.pk)
        connection.close()

    thread = threading.Thread(target=sender)
    thread.start()
    wait_until(lambda: len(server.got) == 1, seconds=20)
    trouble(ClientFactory(organisation=bureau))
    assert not OrmQ.objects.exists()  # who is at work looks again at the end
    time.sleep(0.6)  # his slice is over
    server.hold.set()
    thread.join(20)
    assert OrmQ.objects.count() == 1

    OrmQ.objects.all().delete()
    server.answers = [500]
    assert tell(hook.pk) == "failed"
    trouble(ClientFactory(organisation=bureau))
    assert not OrmQ.objects.exists()  # its wait is on
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=True):
        assert (delivery.reap(), OrmQ.objects.count()) == (1, 1)
        assert tell(hook.pk) == "2 told"
    assert not hook.events.filter(ended_at=None).exists()


def test_slow_receivers_leave_the_runs_their_turns(
    manage: Manage, server: Server, settings: Any, wait_until: Callable[..., None]
) -> None:
    organisation = OrganisationFactory()
    for n in range(5):
        hook_of(organisation, server.url, name=str(n))
    for n in range(3):
        trouble(ClientFactory(organisation=organisation), title=f"Trouble {n}.")
    server.seconds = 2.0
    for _ in range(8):
        async_task("apps.sync.tasks.work", 0, cluster=Lane.NIGHTLY)

    manage.environment["CONNECTOR_ALLOW_PRIVATE_HOSTS"] = settings.CONNECTOR_ALLOW_PRIVATE_HOSTS[0]
    manage.start("work", KONTOR_TICK_SECONDS="0.5")
    wait_until(lambda: Success.objects.filter(func="apps.sync.tasks.work").count() == 8, seconds=60)
    assert len(server.got) <= 6, "the runs waited for the webhooks"
    wait_until(lambda: not WebhookEvent.objects.filter(ended_at=None).exists(), seconds=90)
    assert len(server.got) == 15


SENDER = """
from apps.notifications.tasks import tell
print(tell(int(sys.argv[1])), flush=True)
"""


def test_killed_between_the_receivers_answer_and_our_mark_it_is_told_again_under_the_same_id(
    manage: Manage, server: Server, settings: Any, wait_until: Callable[..., None]
) -> None:
    organisation = OrganisationFactory()
    hook = hook_of(organisation, server.url)
    for n in range(2):
        trouble(ClientFactory(organisation=organisation), title=f"Trouble {n}.")
    manage.environment["CONNECTOR_ALLOW_PRIVATE_HOSTS"] = settings.CONNECTOR_ALLOW_PRIVATE_HOSTS[0]
    manage.environment["KONTOR_WEBHOOK_SECONDS"] = "60"
    server.hold = threading.Event()
    process = started(manage, SENDER, hook.pk)
    wait_until(lambda: len(server.got) == 1, seconds=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    server.hold.set()
    server.hold = None

    assert tell(hook.pk) == "not ours"  # as far as anybody knows, it is at work
    Webhook.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert delivery.reap() == 1
    assert tell(hook.pk) == "failed"
    hook.refresh_from_db()
    assert (hook.failures, hook.last_error) == (1, delivery.LOST)
    assert tell(hook.pk) == "not ours"  # its wait has begun
    Webhook.objects.update(not_before=None)
    assert tell(hook.pk) == "2 told"

    ids = [headers["webhook-id"] for headers, _body in server.got]
    assert ids[0] == ids[1] != ids[2]
    assert [json.loads(body)["data"]["problem"]["title"] for _headers, body in server.got] == [
        "Trouble 0.", "Trouble 0.", "Trouble 1.",
    ]  # fmt: skip


def test_a_secret_that_cannot_be_read_is_that_webhooks_failure_only(bureau: Any, server: Server) -> None:
    broken, well = hook_of(bureau, server.url, name="Broken"), hook_of(bureau, server.url, name="Well")
    foreign = Fernet(Fernet.generate_key()).encrypt(b"whsec_AAAA")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_webhooksecret SET secret = %s WHERE webhook_id = %s", [foreign, broken.pk])

    problem = trouble(ClientFactory(organisation=bureau))
    assert (tell(broken.pk), tell(well.pk)) == ("failed", "1 told")
    broken.refresh_from_db()
    assert (broken.last_error, broken.failures, broken.token) == (delivery.UNREADABLE, 1, "")
    with time_machine.travel(broken.not_before, tick=True):  # type: ignore[arg-type] # it failed
        assert delivery.reap() == 1
    assert problem.resolved_at is None

    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)
    assert browser.get(f"/admin/notifications/webhook/{broken.pk}/change/").status_code == 200
    assert browser.get("/admin/notifications/webhook/").status_code == 200
    webhooks.renew_secret(webhook=broken, actor=None)  # the way out
    Webhook.objects.update(not_before=None)
    assert tell(broken.pk) == "1 told"


def test_what_failed_once_for_long_and_works_again_is_not_paused_by_its_past(bureau: Any, server: Server) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    hook = hook_of(bureau, server.url, failures=2, failing_since=long_ago)
    for n in range(2):
        trouble(ClientFactory(organisation=bureau), title=f"Trouble {n}.")
    server.answers = [204, 500]

    assert tell(hook.pk) == "failed"

    hook.refresh_from_db()
    assert hook.failures == 1
    assert (hook.failing_since or long_ago) > long_ago + timedelta(days=29)


# -- Its page -----------------------------------------------------------------------------------------------------------


def test_a_manager_makes_one_and_sees_what_comes_of_it(bureau: Any, server: Server) -> None:
    browser = signed_in(MembershipFactory(organisation=bureau, role="manager").user)
    client = ClientFactory(organisation=bureau)
    form = {"organisation": bureau.pk, "name": "Tickets", "url": server.url, "all_clients": "on"}

    shown = browser.post("/admin/notifications/webhook/add/", form, follow=True).content.decode()
    hook = Webhook.objects.get()
    assert (hook.sealed.secret or "?") in shown
    page = f"/admin/notifications/webhook/{hook.pk}/change/"
    kept = browser.get(page).content.decode()
    assert (hook.sealed.secret or "?") not in kept
    assert "in-the-path" not in kept
    listed = browser.get("/admin/notifications/webhook/").content.decode()
    assert "127.0.0.1" in listed
    assert "in-the-path" not in listed

    browser.post(f"/admin/webhooks/{hook.pk}/test/")
    tell(hook.pk)
    trouble(client)
    tell(hook.pk)
    shown = browser.get(page).content.decode()
    assert "taken" in shown
    assert "The key is not accepted." in shown
    assert kinds(server) == ["webhook.test", "problem.opened"]

    renewed = browser.post(f"/admin/webhooks/{hook.pk}/renew/", follow=True).content.decode()
    hook.refresh_from_db()
    assert (hook.sealed.secret or "?") in renewed
    browser.post(f"/admin/webhooks/{hook.pk}/pause/")
    trouble(client, code="v.other")
    assert not WebhookEvent.objects.filter(ended_at=None).exists()
    browser.post(f"/admin/webhooks/{hook.pk}/resume/")
    hook.refresh_from_db()
    assert hook.paused_at is None
    said = set(AuditLine.objects.values_list("action", flat=True))
    assert {
        "webhook.made", "webhook.tested", "webhook.secret_renewed", "webhook.paused", "webhook.resumed",
    } <= said  # fmt: skip


def test_its_failure_is_a_problem_that_leads_to_its_page(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    ClientFactory(organisation=bureau)
    server.answers = [410]
    webhooks.send_test(webhook=hook, actor=None)
    tell(hook.pk)
    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)

    page = f"/admin/notifications/webhook/{hook.pk}/change/"
    problem = Problem.objects.get()
    assert page in browser.get(f"/admin/notifications/problem/{problem.pk}/change/").content.decode()
    home = browser.get("/admin/").content.decode()
    assert "The webhook “Tickets” is not taken" in home
    assert "1 problem of the bureau needs a hand." in home
    assert "the bureau" in browser.get("/admin/notifications/problem/").content.decode()

    browser.post(f"/admin/notifications/webhook/{hook.pk}/delete/", {"post": "yes"})
    assert not Webhook.objects.exists()
    assert not Problem.objects.filter(resolved_at=None).exists()


@pytest.mark.parametrize(
    ("role", "sees"), [("manager", True), ("accountant", False), ("reviewer", False), ("read_only", False)]
)
def test_its_failure_is_shown_to_those_who_may_see_webhooks(
    bureau: Any, server: Server, role: str, sees: bool  # noqa: FBT001
) -> None:  # fmt: skip
    hook = hook_of(bureau, server.url)
    server.answers = [410]
    webhooks.send_test(webhook=hook, actor=None)
    tell(hook.pk)
    problem = Problem.objects.get()
    told = Trouble(code="v.key", failure="reconnect", who="bureau", title="The bureau's key is refused.")
    raise_problem(client=None, subject=ConnectorFactory(organisation=bureau), trouble=told)
    user = MembershipFactory(organisation=bureau, role=role).user
    ClientFactory(organisation=bureau, responsible=user)
    browser = signed_in(user)

    for path in ("", "bell/", "notifications/problem/"):
        shown = browser.get(f"/admin/{path}").content.decode()
        assert ("is not taken" in shown) == sees, path
        assert "key is refused." in shown
    page = browser.get(f"/admin/notifications/problem/{problem.pk}/change/")
    assert page.status_code == (200 if sees else 404)
    form = {"until": (timezone.localdate() + timedelta(days=7)).isoformat(), "reason": "x"}
    for what in ("mute", "unmute", "again", "release"):
        answer = browser.post(f"/admin/problems/{problem.pk}/{what}/", form)
        assert answer.status_code == (302 if sees and what != "release" else 404), what
        muted = Problem.objects.filter(pk=problem.pk, muted_until__isnull=False).exists()
        assert muted == (sees and what == "mute")


def test_a_name_that_leads_inside_does_not_tell_where(bureau: Any, settings: Any, monkeypatch: Any) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.20.30.40", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_values: found)
    hook = hook_of(bureau, "https://hooks.example.org/x")
    webhooks.send_test(webhook=hook, actor=None)
    for _ in range(delivery.TOLD_AFTER):
        Webhook.objects.update(not_before=None)
        assert tell(hook.pk) == "failed"

    hook.refresh_from_db()
    assert hook.failure == "hooks.example.org leads to a private address"
    assert "10.20.30.40" not in repr(list(Problem.objects.values()))
    assert Problem.objects.get().title.endswith("leads to a private address.")


def test_why_it_is_not_taken_is_said_in_the_readers_language(
    bureau: Any, server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {delivery.NO_MORE: "HTTP 410: den vil ikke ha mer", delivery.LATE: "ikke noe svar innen {seconds} s"}
    monkeypatch.setattr("apps.notifications.models.translate", lambda text: words.get(text, text))
    hook = hook_of(bureau, server.url)
    server.answers = [410]
    webhooks.send_test(webhook=hook, actor=None)
    tell(hook.pk)

    assert Problem.objects.get().title == "The webhook “Tickets” is not taken: HTTP 410: den vil ikke ha mer."
    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)
    page = f"/admin/notifications/webhook/{hook.pk}/change/"
    assert "den vil ikke ha mer" in browser.get(page).content.decode()

    settings.KONTOR_WEBHOOK_SECONDS = 0.2
    server.hold = threading.Event()
    for _ in range(delivery.TOLD_AFTER):
        Webhook.objects.update(not_before=None, paused_at=None)
        tell(hook.pk)
    server.hold.set()
    assert Problem.objects.get().title == "The webhook “Tickets” is not taken: ikke noe svar innen 0.2 s."


def test_figures_of_hidden_books_are_not_on_its_page_nor_in_the_audit_log(bureau: Any, server: Server) -> None:
    hook = hook_of(bureau, server.url)
    client = ClientFactory(organisation=bureau, name="Nordlys AS")
    problem = trouble(client, code="ledger.differs", title="Account 1500 differs by 1,234.50.")
    trouble(client, code="v.bad_key")
    webhooks.send_test(webhook=hook, actor=None)
    mute_problem(problem=problem, until=timezone.localdate(), reason="known", actor=None)
    unmute_problem(problem=problem, actor=None)
    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)
    page = f"/admin/notifications/webhook/{hook.pk}/change/"
    assert "1,234.50" in browser.get(page).content.decode()

    client.hidden_at = timezone.now()
    client.save()
    shown = browser.get(page).content.decode()
    assert "1,234.50" not in shown
    assert "The key is not accepted." in shown
    assert shown.count("problem opened") == 1
    assert '<span class="k-small k-quiet k-code k-hide-small">' in shown
    assert "<td>test<br>" in shown  # of no client
    assert "1,234.50" not in repr(list(AuditLine.objects.values()))
    assert set(AuditLine.objects.filter(action__startswith="problem.").values_list("subject", flat=True)) == {
        "ledger.differs · Nordlys AS"
    }


@pytest.mark.parametrize("role", ["accountant", "reviewer", "read_only", "auditor"])
def test_others_see_none(bureau: Any, server: Server, role: str) -> None:
    hook = hook_of(bureau, server.url)
    browser: Browser = signed_in(MembershipFactory(organisation=bureau, role=role).user)

    for path in ("notifications/webhook/", f"notifications/webhook/{hook.pk}/change/"):
        assert browser.get(f"/admin/{path}").status_code in (403, 404)
    for what in ("test", "renew", "pause", "resume"):
        assert browser.post(f"/admin/webhooks/{hook.pk}/{what}/").status_code == 403
    with organisation_scope({bureau.pk}):
        assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("how", ["url", "renew", "resume", "name"])
def test_who_takes_it_over_gets_nothing_of_clients_he_does_not_see(bureau: Any, server: Server, how: str) -> None:
    named = MembershipFactory(organisation=bureau, role="owner")
    secret, usual = ClientFactory(organisation=bureau, restricted=True), ClientFactory(organisation=bureau)
    Assignment.objects.create(client=secret, membership=named, kind="named")
    hook = hook_of(bureau, server.url, all_clients=False)
    hook.clients.set([secret, usual])

    for user in (named.user, MembershipFactory(organisation=bureau, role="manager").user):
        stays = user == named.user or how == "name"
        browser = signed_in(user)
        if how == "resume":
            webhooks.pause(webhook=hook, actor=None)
        if how in ("renew", "resume"):
            page = browser.post(f"/admin/webhooks/{hook.pk}/{how}/", follow=True)
        else:
            url = f"{server.url}/of/{user.pk}" if how == "url" else ""
            chosen = [usual.pk, secret.pk] if user == named.user else [usual.pk]
            form = {"name": f"Of {user.pk}", "url": url, "clients": chosen}
            page = browser.post(f"/admin/notifications/webhook/{hook.pk}/change/", form, follow=True)
            hook.refresh_from_db()
            assert (hook.name, hook.sealed.url) == (f"Of {user.pk}", url or server.url)

        assert set(hook.clients.all()) == ({secret, usual} if stays else {usual})
        assert ("It no longer tells of 1 client that you do not see" in page.content.decode()) != stays
        lines = AuditLine.objects.filter(action="webhook.clients_dropped").values_list("details", "actor")
        assert list(lines) == ([] if stays else [({"clients": 1}, str(user))])


def test_no_address_no_row(bureau: Any) -> None:
    browser = signed_in(MembershipFactory(organisation=bureau, role="owner").user)
    form = {"organisation": bureau.pk, "name": "x", "url": "", "all_clients": "on"}

    assert "This field is required" in browser.post("/admin/notifications/webhook/add/", form).content.decode()
    assert not Webhook.objects.exists()
