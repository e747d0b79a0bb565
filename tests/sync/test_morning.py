"""The morning's digest through the outbox, to a real SMTP server."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from django.utils import timezone
from django_q.models import OrmQ

from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.notifications import outbox
from apps.notifications.actions import Trouble, mute_problem, raise_problem, resolve_problems
from apps.notifications.models import Mail, Morning
from apps.notifications.tasks import send
from apps.sync.morning import greet
from tests.conftest import Manage
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ConnectorFactory,
    MembershipFactory,
    OrganisationFactory,
    UserFactory,
)
from tests.sync.bureau import start as started

MORNING = datetime(2026, 11, 20, 5, 1, tzinfo=UTC)  # one past six in Oslo


class Server:
    """Takes mails. `replies` are given to the next ones in their place; `hold` keeps the answer back."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []
        self.replies: list[str] = []
        self.hold: threading.Event | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=20)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        reply = self.replies.pop(0) if self.replies else "250 taken"
        if reply.startswith("250"):
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        if self.hold is not None:
            while not self.hold.is_set():  # noqa: ASYNC110 - an event of the test's thread
                await asyncio.sleep(0.02)
        return reply

    def bodies(self) -> list[str]:
        return [message.get_payload(decode=True).decode() for _to, message in self.mails]  # type: ignore[union-attr]


@pytest.fixture
def smtp(settings: Any) -> Iterator[Server]:
    server = Server()
    server.controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.KONTOR_URL = "https://kontor.example"
    yield server
    server.controller.stop()


@pytest.fixture
def bureau(db: None) -> Iterator[Any]:
    with system_scope("tests"), time_machine.travel(MORNING, tick=True):
        yield OrganisationFactory(time_zone="Europe/Oslo")


def person(organisation: Any, role: str, **values: Any) -> Any:
    user = UserFactory(**values)
    MembershipFactory(user=user, organisation=organisation, role=role)
    return user


def trouble(client: Client, code: str = "vendor.bad_key", title: str = "The key is not accepted.") -> Any:
    told = Trouble(code=code, failure="reconnect", who="client", title=title, steps=("Make a new key.",))
    return raise_problem(client=client, subject=client, trouble=told)


def posted() -> list[str]:
    """The mails in the outbox, sent as the workers would."""
    return [send(mail.pk) for mail in Mail.objects.order_by("pk")]


def test_each_person_is_told_what_concerns_them(bureau: Any, smtp: Server) -> None:
    kari = person(bureau, "accountant", email="kari@bureau.example", name="Kari")
    person(bureau, "accountant", email="ola@bureau.example")
    person(bureau, "owner", email="owner@bureau.example", name="Eier")
    person(bureau, "read_only", email="reader@bureau.example")
    mine = ClientFactory(organisation=bureau, name="Nordlys AS", responsible=kari)
    nobodys = ClientFactory(organisation=bureau, name="Havbris AS")
    problem = trouble(mine)
    trouble(nobodys, title="Something else.")

    assert greet(timezone.now()) == 2
    assert posted() == ["sent", "sent"]

    told = {to[0]: (message["Subject"], body) for (to, message), body in zip(smtp.mails, smtp.bodies(), strict=True)}
    assert set(told) == {"kari@bureau.example", "owner@bureau.example"}
    subject, body = told["kari@bureau.example"]
    assert subject == "Kontor: 1 problem needs a hand"
    assert body.splitlines()[:6] == [
        "Good morning, Kari.", "", "* The key is not accepted.", "  Nordlys AS", "  1. Make a new key.",
        f"  https://kontor.example/admin/notifications/problem/{problem.pk}/change/",
    ]  # fmt: skip
    assert "Havbris AS" not in body
    assert "Havbris AS" in told["owner@bureau.example"][1]
    assert "Nordlys AS" not in told["owner@bureau.example"][1]
    assert {message.get_content_type() for _to, message in smtp.mails} == {"text/plain"}


def test_a_shared_cause_is_told_once_to_whoever_it_concerns(bureau: Any, smtp: Server) -> None:
    kari = person(bureau, "accountant")
    shared = ConnectorFactory(organisation=bureau)
    clients = [ClientFactory(organisation=bureau, name=f"Kunde {n}", responsible=kari) for n in range(8)]
    for client in clients:
        ConnectionFactory(client=client, connector=shared)
    told = Trouble(code="v.key", failure="reconnect", who="bureau", title="The key is not accepted.")
    raise_problem(client=None, subject=shared, trouble=told, clients=clients)

    greet(timezone.now())
    posted()

    (body,) = smtp.bodies()
    assert body.count("The key is not accepted.") == 1
    assert "Kunde 0, Kunde 1, Kunde 2, Kunde 3, Kunde 4 and 3 more" in body


def test_nothing_is_sent_when_nothing_is_new(bureau: Any, smtp: Server) -> None:
    person(bureau, "owner")
    client = ClientFactory(organisation=bureau)

    assert greet(timezone.now()) == 0
    mute_problem(problem=trouble(client), until=timezone.localdate() + timedelta(days=3), reason="known", actor=None)
    with time_machine.travel(MORNING + timedelta(days=1), tick=True):
        assert greet(timezone.now()) == 0
        trouble(client, code="other", title="Another.")
        with time_machine.travel(MORNING + timedelta(days=2), tick=True):
            assert greet(timezone.now()) == 1
            posted()
        with time_machine.travel(MORNING + timedelta(days=3), tick=True):
            assert greet(timezone.now()) == 0  # told already, still open

    assert len(smtp.mails) == 1


def test_one_a_night_however_often_it_is_looked_at_and_in_two_bureaus(bureau: Any, smtp: Server) -> None:
    both = person(bureau, "owner")
    second = OrganisationFactory(time_zone="Europe/Oslo")
    MembershipFactory(user=both, organisation=second, role="owner")
    trouble(ClientFactory(organisation=bureau, name="Nordlys AS"))
    trouble(ClientFactory(organisation=second, name="Havbris AS"))

    assert [greet(timezone.now()) for _ in range(3)] == [1, 0, 0]
    assert OrmQ.objects.count() == 1
    trouble(ClientFactory(organisation=bureau), code="later")
    assert greet(timezone.now() + timedelta(hours=1)) == 0
    assert posted() == ["sent"]
    assert posted() == ["not ours"]

    (body,) = smtp.bodies()
    assert "Nordlys AS" in body
    assert "Havbris AS" in body


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (datetime(2026, 11, 20, 4, 59, tzinfo=UTC), 0),
        (datetime(2026, 11, 20, 5, 0, tzinfo=UTC), 1),
        (datetime(2026, 11, 20, 11, 1, tzinfo=UTC), 0),
    ],
)
def test_it_is_sent_in_the_bureaus_own_morning(bureau: Any, now: datetime, count: int) -> None:
    person(bureau, "owner")
    with time_machine.travel(now - timedelta(hours=2)):
        trouble(ClientFactory(organisation=bureau))

    assert greet(now) == count
    assert Morning.objects.count() == count


def test_what_was_mended_meanwhile_is_not_told(bureau: Any, smtp: Server) -> None:
    person(bureau, "owner")
    client = ClientFactory(organisation=bureau)
    trouble(client)
    greet(timezone.now())
    resolve_problems(subject=client)

    assert posted() == ["dropped"]
    assert not smtp.mails


def test_a_person_who_left_is_told_nothing(bureau: Any, smtp: Server) -> None:
    gone = person(bureau, "owner")
    trouble(ClientFactory(organisation=bureau))
    greet(timezone.now())
    gone.membership_set.all().delete()

    assert posted() == ["dropped"]


def test_it_is_written_in_the_persons_language_with_names_that_cannot_forge_a_header(bureau: Any, smtp: Server) -> None:
    person(bureau, "owner", name="Kari\r\nBcc: all@example.com")
    trouble(ClientFactory(organisation=bureau, name="X\r\nBcc: all@example.com"))
    greet(timezone.now())

    assert posted() == ["sent"]
    assert smtp.mails[0][1]["Bcc"] is None
    assert len(smtp.mails[0][0]) == 1


def owed(bureau: Any) -> Mail:
    person(bureau, "owner")
    trouble(ClientFactory(organisation=bureau))
    greet(timezone.now())
    mail: Mail = Mail.objects.get()
    return mail


def test_what_the_server_does_not_take_now_waits_longer_each_time(bureau: Any, smtp: Server) -> None:
    mail = owed(bureau)
    smtp.replies = ["451 later", "452 later"]
    waits = []
    for _ in range(2):
        assert send(mail.pk) == "waiting"
        mail.refresh_from_db()
        waits.append(round((mail.not_before - timezone.now()).total_seconds()))
        assert send(mail.pk) == "not ours"  # its time has not come
        Mail.objects.update(not_before=timezone.now(), lease_until=timezone.now() - timedelta(seconds=1))
        OrmQ.objects.all().delete()
        assert outbox.reap() == 1
        assert OrmQ.objects.count() == 1

    assert send(mail.pk) == "sent"
    assert waits == [60, 120]
    assert len(smtp.mails) == 1


def test_what_the_server_never_takes_is_given_up(bureau: Any, smtp: Server) -> None:
    mail = owed(bureau)
    smtp.replies = ["554 never"]

    assert send(mail.pk) == "failed"
    mail.refresh_from_db()
    assert mail.error == "SMTPDataError 554"


def test_what_a_failed_mail_was_to_tell_is_in_the_next_one(bureau: Any, smtp: Server) -> None:
    person(bureau, "owner")
    client = ClientFactory(organisation=bureau)
    trouble(client, title="Of the first night.")
    smtp.replies = ["250 taken", "554 never", "554 never"]
    states = []
    for day in range(4):
        with time_machine.travel(MORNING + timedelta(days=day), tick=True):
            assert greet(timezone.now()) == 1
            states.append(send(Mail.objects.order_by("-pk")[0].pk))
            trouble(client, code=f"v.{day}", title=f"After morning {day}.")

    assert states == ["sent", "failed", "failed", "sent"]
    body = smtp.bodies()[-1]
    assert [f"After morning {day}." in body for day in range(3)] == [True, True, True]
    assert "* Of the first night." not in body  # told already
    assert "1 problem told earlier is still open." in body


def test_a_server_that_is_not_there_is_asked_eight_times(bureau: Any, smtp: Server, settings: Any) -> None:
    mail = owed(bureau)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and nobody listens
        settings.EMAIL_PORT = nobody.getsockname()[1]
        states = []
        for _ in range(8):
            Mail.objects.update(not_before=None)
            states.append(send(mail.pk))

    assert states == ["waiting"] * 7 + ["failed"]


class Mute:
    """Takes connections and never says a word, closes them at once, or does not even let them in."""

    def __init__(self, how: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.held: list[socket.socket] = []
        if how == "full":
            self.held = [socket.socket() for _ in range(4)]  # a queue that nobody empties: later ones are dropped
            for one in self.held:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", self.port))
        else:
            threading.Thread(target=self.serve, args=(how,), daemon=True).start()

    def serve(self, how: str) -> None:
        with suppress(OSError):
            while True:
                opened, _address = self.listener.accept()
                if how == "closes":
                    opened.close()
                else:
                    self.held.append(opened)

    def close(self) -> None:
        for one in (self.listener, *self.held):
            one.close()


@pytest.mark.parametrize("how", ["full", "silent", "closes"])
def test_before_the_server_has_spoken_nothing_can_have_been_sent(
    bureau: Any, smtp: Server, settings: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    mail = owed(bureau)
    monkeypatch.setattr(outbox, "SMTP_SECONDS", 0.3)
    with closing(Mute(how)) as mute:
        settings.EMAIL_PORT = mute.port
        for _ in range(4):
            Mail.objects.update(not_before=None)
            assert send(mail.pk) == "waiting"
    mail.refresh_from_db()
    assert (mail.attempts, mail.unsure) == (4, 0)
    assert mail.error == ("TimeoutError" if how == "full" else "SMTPServerDisconnected")

    settings.EMAIL_PORT = smtp.port
    Mail.objects.update(not_before=None)
    assert send(mail.pk) == "sent"
    assert len(smtp.mails) == 1


def test_cut_before_the_servers_word_on_the_mail_nobody_knows(
    bureau: Any, smtp: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = owed(bureau)
    monkeypatch.setattr(outbox, "SMTP_SECONDS", 0.3)
    smtp.hold = threading.Event()
    assert send(mail.pk) == "waiting"
    Mail.objects.update(not_before=None)
    assert send(mail.pk) == "failed"
    smtp.hold.set()

    mail.refresh_from_db()
    assert (mail.attempts, mail.unsure, len(smtp.mails)) == (2, 2, 2)


def test_a_lost_task_is_queued_again(bureau: Any) -> None:
    mail = owed(bureau)
    OrmQ.objects.all().delete()
    assert outbox.reap() == 0
    Mail.objects.filter(pk=mail.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert outbox.reap() == 1
    assert OrmQ.objects.count() == 1


SENDER = """
from apps.notifications.tasks import send
print("sending", flush=True)
print(send(int(sys.argv[1])), flush=True)
"""


@pytest.mark.parametrize(("kills", "mails", "state"), [(1, 2, "sent"), (2, 2, "failed")])
def test_killed_between_the_servers_word_and_our_mark_at_most_one_is_doubled(
    manage: Manage, smtp: Server, wait_until: Callable[..., None], kills: int, mails: int, state: str
) -> None:
    with system_scope("tests"):
        organisation = OrganisationFactory()
        person(organisation, "owner")
        trouble(ClientFactory(organisation=organisation))
        user = organisation.members.get()
        mail = Mail.objects.create(
            organisation=organisation, user=user, night="2026-11-20", since=timezone.now() - timedelta(days=1),
            message_id=outbox.new_message_id(), lease_until=outbox.patience(),
        )  # fmt: skip
    manage.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{smtp.port}"
    for kill in range(kills):
        smtp.hold = threading.Event()
        process = started(manage, SENDER, mail.pk)
        wait_until(lambda wanted=kill + 1: len(smtp.mails) == wanted, seconds=60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        smtp.hold.set()
        smtp.hold = None
        with system_scope("tests"):
            mail.refresh_from_db()
            assert mail.state == "sending"
            Mail.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
            outbox.reap()
            Mail.objects.update(not_before=None)

    with system_scope("tests"):
        send(mail.pk)
        outbox.reap()
        mail.refresh_from_db()
    assert (mail.state, len(smtp.mails)) == (state, mails)
    assert {message["Message-ID"] for _to, message in smtp.mails} == {mail.message_id}
