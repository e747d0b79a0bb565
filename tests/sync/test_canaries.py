"""Canaries in every secret that is entered and that a vendor issues, and nights of all providers with faults.

The search is shown to find a planted one in each place first; then it finds none.
"""

import json
from base64 import b32encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from django_q.tasks import async_task

from apps.clients.models import ApiToken, Client, new_token, token_digest
from apps.connectors import environment
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.grants import keep_grant
from apps.connectors.models import Connection, Exchange
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sdk.session import Exchange as Made
from apps.connectors.sessions import open_session
from apps.notifications.models import Problem, Webhook
from apps.organisations import second_factor
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.sandbox.demo import Demo
from apps.sandbox.server import running
from apps.sandbox.serving import SandboxProcess, open_sandboxes, seed
from apps.sandbox.story import COMPLETE, Story, load_story
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run
from tests.conftest import Manage
from tests.factories import AssignmentFactory
from tests.organisations.visitor import code_of
from tests.sync import canaries
from tests.sync.canaries import ENTERED, PLANTED, REFRESH, Echo, leaks

HOOK = "hooks.example/canary-word-in-the-path-7008"

# Loaded by every process before anything else: whatever its settings say, everything is logged.
LOUD = """
import logging, logging.config
real = logging.config.dictConfig
def loud(config):
    real({**config, "root": {**config.get("root", {}), "level": "DEBUG"},
          "loggers": {name: {**told, "level": "DEBUG"} for name, told in config.get("loggers", {}).items()}})
logging.config.dictConfig = loud
"""


@dataclass
class World:
    vendors: dict[str, Echo]
    demo: Demo
    manage: Manage
    log: Path
    api_token: str
    own: list[str]

    @property
    def secrets(self) -> list[str]:
        """Entered, made by Kontor, and issued; of signatures, which are many, some."""
        found = {*ENTERED.values(), REFRESH, *self.own}
        for vendor in self.vendors.values():
            found |= set(sorted(vendor.secrets)[:20])
        found |= {f"canary-cookie-{number}-value" for number in range(5)}
        return sorted(found)

    def people(self) -> Iterator[tuple[str, Browser]]:
        for user in User.objects.filter(email__endswith="@roles.example").order_by("-pk"):
            browser = Browser(raise_request_exception=False)
            browser.force_login(user)
            yield user.email, browser

    def night(self, wait_until: Callable[..., None]) -> None:
        for feed in self.demo.feeds:
            start_run(feed=feed, kind=RunKind.MANUAL)
        wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=240)

    def places(self) -> Iterator[tuple[str, bytes]]:
        """(name, all that is there), each where something may leak."""
        yield "database", canaries.database()
        yield "queue", canaries.queue()
        yield "logs", self.log.read_bytes()
        yield "exchanges", canaries.exchanges()
        for email, browser in self.people():
            most = 60 if email.startswith("root") else 12
            yield f"pages of {email}", b"\n".join(canaries.pages(browser, most))
        _email, owner = next(self.people())
        links = (reverse("admin:connectors_exchange_change", args=[row.pk]) for row in Exchange.objects.all())
        yield "pages of exchanges", b"\n".join(owner.get(link).content for link in links)
        yield "api", b"\n".join(self._api())
        yield "exports", self.manage("dumpdata", "--indent", "1").stdout.encode()
        yield "commands", b"\n".join(self._commands())
        yield "tracebacks", b"\n".join(self._tracebacks())

    def _api(self) -> Iterator[bytes]:
        browser = Browser(headers={"authorization": f"Bearer {self.api_token}"})
        yield browser.get("/api/v1/status").content
        for number in Client.objects.values_list("number", flat=True):
            yield browser.get(f"/api/v1/clients/{number}/status").content

    def _commands(self) -> Iterator[bytes]:
        for arguments in (("doctor",), ("rotate_keys",)):
            done = self.manage(*arguments, check=False)
            yield f"{done.stdout}{done.stderr}".encode()

    def _tracebacks(self) -> Iterator[bytes]:
        """As a mail to the operator has them, and as a page shows them that DEBUG would bring."""
        for connection in Connection.objects.all():
            session = None
            try:
                session = open_session(connection)
                session.provider.verify(session)
                raise ValueError(f"{PLANTED} {session!r} {session.held_tokens!r}")  # noqa: TRY301 - to be caught here
            except (ConnectorError, ValueError) as error:
                reporter = ExceptionReporter(None, type(error), error, error.__traceback__)
                yield reporter.get_traceback_text().encode()
            finally:
                if session is not None:
                    session.transport.close()


def told(folder: Path) -> list[Story]:
    """Two clients of each story, all of them complete otherwise."""
    found = []
    for path in canaries.stories(folder):
        story = load_story(path, timezone.localdate(), vouchers=30)
        kept = tuple(client for client in story.clients if client.expect == COMPLETE)[:2]
        names = {client.company for client in kept}
        companies = tuple(company for company in story.companies if company.books.company in names)
        found.append(replace(story, clients=kept, companies=companies, edits=()))
    return found


@pytest.fixture
def world(manage: Manage, scope: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    stories = told(tmp_path)
    sandboxes = open_sandboxes(tmp_path / "sandbox", sorted({slug for story in stories for slug in story.operator}))
    seed(sandboxes, stories)
    vendors = {slug: Echo(sandbox) for slug, sandbox in sandboxes.items()}
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "sitecustomize.py").write_text(LOUD)
    with ExitStack() as stack:
        url = stack.enter_context(running(vendors))  # type: ignore[arg-type]
        operator = {environment.PRIVATE_HOSTS: url.removeprefix("http://")}
        for story in stories:
            for slug, fields in story.operator.items():
                operator[environment.variable(slug, "BASE_URL")] = f"{url}/{slug}"
                operator |= {environment.variable(slug, name): value for name, value in fields.items()}
        for name, value in operator.items():
            monkeypatch.setenv(name, value)
        manage.environment |= operator | {"PYTHONPATH": f"{tmp_path / 'loud'}:.", "KONTOR_LOG_LEVEL": "DEBUG"}
        demo = Demo(told=stories, sandbox=SandboxProcess(tmp_path), say=lambda _text: None)
        demo.set_up()
        _person_consents(
            next(feed.connection for feed in demo.feeds if feed.connection.connector.auth == "oauth_client")
        )
        organisation = Organisation.objects.get(pk=demo.feeds[0].client.organisation_id)
        for role in Role.values:
            user = User.objects.create_user(f"{role}@roles.example", "a password of tests", is_staff=True)
            for one in Organisation.objects.all():
                member = Membership.objects.create(user=user, organisation=one, role=role)
                if role in (Role.ACCOUNTANT, Role.AUDITOR):  # who sees named clients only
                    for client in Client.objects.filter(organisation=one):
                        _name(member, client)
        User.objects.create_user("root@roles.example", "a password of tests", is_staff=True, is_superuser=True)
        secret = new_token()
        ApiToken.objects.create(
            organisation=organisation, name="canaries", all_clients=True, digest=token_digest(secret)
        )
        yield World(vendors, demo, manage, tmp_path / "log", secret, [secret, *_own_secrets(organisation)])
        manage.stop()


def _own_secrets(organisation: Organisation) -> Iterator[str]:
    """A webhook made on its page, and a second factor with its recovery codes; each told to a person once."""
    root = User.objects.get(email="root@roles.example")
    browser = Browser()
    browser.force_login(root)
    form = {"organisation": organisation.pk, "name": "canaries", "url": f"https://{HOOK}", "all_clients": "on"}
    shown = browser.post("/admin/notifications/webhook/add/", form, follow=True).content.decode()
    hook = Webhook.objects.get(name="canaries")
    assert (hook.sealed.secret or "?") in shown
    yield HOOK.rpartition("/")[2]
    yield hook.sealed.secret or "?"
    person = User.objects.create_user("factor@elsewhere.example", "a password of tests", is_staff=True)
    begun = second_factor.begin(user=person, begun=None)
    entered, codes = second_factor.confirm(user=person, begun=begun.pk, code=code_of(begun.key))
    assert entered is second_factor.Entered.RIGHT
    yield from (begun.key, b32encode(bytes.fromhex(begun.key)).decode(), *codes)


def _name(member: Membership, client: Client) -> None:
    audit = {"kind": "audit", "first_year": 2000, "last_year": 2099, "ends_on": date(2099, 1, 1)}
    AssignmentFactory(client=client, membership=member, **(audit if member.role == Role.AUDITOR else {}))


def _person_consents(connection: Connection) -> None:
    """One client's sign-in is a consent with a refresh token in the place of the service account."""
    connector = connection.connector
    connector.auth = "oauth_code"
    connector.save()
    with transaction.atomic():
        keep_grant(connection, Tokens(access_token="", refresh_token=REFRESH), "anna")


def plant(world: World) -> None:
    """One in every place, by the way that leads there."""
    connection = world.demo.feeds[0].connection
    made = Made(
        at=timezone.now(), method="GET", url=f"https://vendor.example/?q={PLANTED}", status=200, seconds=0.1,
        request_headers={"X-Planted": PLANTED}, request_body=b"", headers={}, body=PLANTED.encode(),
    )  # fmt: skip
    ExchangeRecorder(organisation_id=connection.client.organisation_id, connection_id=connection.pk)(made)
    for feed in world.demo.feeds:
        Client.objects.filter(pk=feed.client_id).update(name=f"{PLANTED} {feed.client.number}")
    async_task("logging.debug", PLANTED, cluster="interactive")


def test_no_secret_is_anywhere(world: World, wait_until: Callable[..., None]) -> None:
    world.log.touch()
    world.manage.start(
        "work", log=world.log, KONTOR_WORKERS_INTERACTIVE="2", KONTOR_TICK_SECONDS="0.5", KONTOR_RETRY_SECONDS="0.2"
    )
    plant(world)
    wait_until(lambda: PLANTED.encode() in world.log.read_bytes(), seconds=60)
    blind = [name for name, hay in world.places() if not leaks(hay, [PLANTED])]
    assert blind == [], "the search is blind there"

    for vendor in world.vendors.values():
        vendor.quiet = False
    world.night(wait_until)  # every fourth answer is a fault that repeats what it was sent
    for status in (403, 401, 200):  # and then each of them, until the connections stop
        for vendor in world.vendors.values():
            vendor.mode = status
        world.night(wait_until)
        Run.objects.filter(state__in=LIVE).update(state=RunState.FAILED)
        Connection.objects.update(state="active")

    assert {slug: vendor.echoed > 5 for slug, vendor in world.vendors.items()} == dict.fromkeys(world.vendors, True)
    wire = b"".join(bytes(vendor.wire) for vendor in world.vendors.values())
    unsent = {secret for secret in (*ENTERED.values(), REFRESH) if not leaks(wire, [secret])}
    assert {secret for secret in unsent if not secret.startswith("CANARY")} == set(), "those only sign"
    assert all(len(vendor.secrets) > 1 for vendor in world.vendors.values())
    assert Problem.objects.filter(resolved_at=None).count() >= 3
    found = {name: hit for name, hay in world.places() if (hit := leaks(hay, world.secrets))}
    assert found == {}, json.dumps(found, indent=1)


def test_the_search_knows_every_form() -> None:
    import base64
    from urllib.parse import quote, quote_plus

    secret: Any = "Canary/Bureau&Key+7002=="
    coded = base64.b64encode(f"0:{secret}".encode())
    for hay in (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        coded.decode(),
        secret.encode().hex(),
    ):
        assert leaks(f"before {hay} after".encode(), [secret]) == [secret], hay
    assert leaks(b"nothing", [secret]) == []
