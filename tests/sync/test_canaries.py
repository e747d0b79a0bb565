"""Canaries in every secret that is entered and that a vendor issues, and nights of all providers with faults.

One is planted in each place, and every place is searched for it and for all of them: the planted one is found in each,
in the very same bytes in which none of the others is.
"""

import json
import socket
from base64 import b32encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.test import Client as Browser
from django.utils import timezone
from django_q.tasks import async_task

from apps.clients.models import ApiToken, Client, new_token, token_digest
from apps.connectors import environment
from apps.connectors.exchanges import ExchangeRecorder
from apps.connectors.grants import keep_grant
from apps.connectors.models import Connection, Connector
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sdk.session import Exchange as Made
from apps.ledger.models import Account, Finding, LedgerFile
from apps.notifications.models import Problem, Webhook
from apps.onboarding.actions import check_file, list_companies, start
from apps.onboarding.enums import BUSY
from apps.onboarding.models import Batch
from apps.organisations import second_factor
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.sandbox.demo import Demo
from apps.sandbox.server import running
from apps.sandbox.serving import SandboxProcess, open_sandboxes, seed
from apps.sandbox.story import COMPLETE, Story, load_story
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind
from apps.sync.models import Run
from tests.conftest import Manage
from tests.factories import AssignmentFactory
from tests.organisations.visitor import Visitor, code_of
from tests.sync import canaries
from tests.sync.canaries import ENTERED, PASSWORD, PLANTED, REFRESH, WRONG, WRONG_PASSWORD, Echo, leaks
from tests.sync.places import TELLING, Places
from tests.sync.visits import Page, addresses, unvisited

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


@dataclass(kw_only=True)
class World(Places):
    demo: Demo

    def night(self, wait_until: Callable[..., None]) -> None:
        for feed in self.demo.feeds:
            start_run(feed=feed, kind=RunKind.MANUAL)
        wait_until(lambda: not Run.objects.filter(state__in=LIVE).exists(), seconds=240)


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
    # nobody reads the contexts of pages, and copying them takes most of their time
    monkeypatch.setattr("django.test.client.store_rendered_templates", lambda *_args, **_kwargs: None)
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
        _people()
        secret = new_token()
        ApiToken.objects.create(
            organisation=organisation, name="canaries", all_clients=True, digest=token_digest(secret)
        )
        logs = {name: tmp_path / f"log of {name}" for name in ("work", "web")}
        for log in logs.values():
            log.touch()
        own = [secret, *_own_secrets(organisation)]
        yield World(demo=demo, vendors=vendors, manage=manage, logs=logs, api_token=secret, own=own)
        manage.stop()


def _people() -> None:
    """One of each role in every bureau, and one of none; also a client that is seen by named people only."""
    for one in Organisation.objects.all():
        Client.objects.create(organisation=one, number="9999", name="Hidden", country=one.country, restricted=True)
    for role in Role.values:
        user = User.objects.create_user(f"{role}@roles.example", is_staff=True)
        for one in Organisation.objects.all():
            member = Membership.objects.create(user=user, organisation=one, role=role)
            if role in (Role.ACCOUNTANT, Role.AUDITOR):  # who sees named clients only
                for client in Client.objects.filter(organisation=one):
                    _name(member, client)
    # The hasher of other processes; tests have a quicker one of their own.
    User.objects.filter(email="owner@roles.example").update(
        password=PBKDF2PasswordHasher().encode(PASSWORD, "salt4711")
    )
    User.objects.create_user("root@roles.example", is_staff=True, is_superuser=True)


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


def take_in(world: World, wait_until: Callable[..., None]) -> None:
    """A key's companies are asked for, and a file is taken in with it; both reports tell why that failed."""
    shared = Connector.objects.get(client=None)
    owner = User.objects.get(email="owner@roles.example")
    list_companies(connector=shared, actor=owner)
    file = f"number;name;organisation number\n1999;{PLANTED};974760673\n".encode()
    batch = check_file(organisation=shared.organisation, connector=shared, name="new.csv", data=file, actor=owner)
    assert start(batch=batch, chosen=set(batch.lines.values_list("pk", flat=True)), first_number=0, actor=owner)
    wait_until(lambda: not Batch.objects.filter(state__in=BUSY).exists())
    assert all(row.trouble or row.lines.exclude(trouble={}).exists() for row in Batch.objects.all())


def plant(world: World) -> None:
    """One in every place, by the way that leads there."""
    connection = world.demo.feeds[0].connection
    made = Made(
        at=timezone.now(), method="GET", url=f"https://vendor.example/?q={PLANTED}", status=200, seconds=0.1,
        request_headers={"X-Planted": PLANTED}, request_body=b"", headers={}, body=PLANTED.encode(),
    )  # fmt: skip
    ExchangeRecorder(organisation_id=connection.client.organisation_id, connection_id=connection.pk)(made)
    for client in Client.objects.all():
        Client.objects.filter(pk=client.pk).update(name=f"{PLANTED} {client.number}")
    Account.objects.update(name=PLANTED)
    Finding.objects.create(client=connection.client, kind="unbalanced", key="x", amount=1, facts={"voucher": PLANTED})
    LedgerFile.objects.create(client=connection.client, name=PLANTED, digest="x")
    async_task("logging.debug", PLANTED, cluster="interactive")


def type_in(world: World, wait_until: Callable[..., None]) -> Iterator[requests.Response]:
    """What a person does in a browser, of a web process: signs in, enters each key wrong and then right, looks around."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    world.manage.start("runserver", "--noreload", address.removeprefix("http://"), log=world.logs["web"])
    wait_until(lambda: _answers(address), seconds=60)
    owner = Visitor(address)
    yield owner.sign_in("owner@roles.example", WRONG_PASSWORD)
    assert owner.sign_in("owner@roles.example", PASSWORD).url == f"{address}/admin/"
    for connector in Connector.objects.all():
        secrets = connector.secret.entered() if hasattr(connector, "secret") else {}
        for name, right in secrets.items():
            page = f"/admin/connectors/{connector.pk}/"
            world.answer(403)
            refused = owner.submit(page, **connector.values, **{name: WRONG})
            assert 'class="k-fault" role="alert"' in refused.text
            world.answer(0)
            taken = owner.submit(page, **connector.values, **{name: right})
            assert "Activated" in taken.text
            yield from (refused, taken, owner.see(page))
    for path in (f"/admin/?q={PLANTED}", "/admin/sync/run/", "/admin/notifications/problem/", "/admin/bell/"):
        yield owner.see(path)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_no_secret_is_anywhere(world: World, wait_until: Callable[..., None]) -> None:
    world.manage.start(
        "work", log=world.logs["work"], KONTOR_WORKERS_INTERACTIVE="2", KONTOR_TICK_SECONDS="0.5",
        KONTOR_RETRY_SECONDS="0.2",
    )  # fmt: skip
    for vendor in world.vendors.values():
        vendor.quiet = False
    world.night(wait_until)  # every fourth answer is a fault that repeats what it was sent
    for status in (403, 401, 200):  # and then each of them, until the connections stop
        world.answer(status)
        world.night(wait_until)
        if status == 403:
            take_in(world, wait_until)
        Connection.objects.update(state="active")
    plant(world)
    wait_until(lambda: PLANTED.encode() in world.logs["work"].read_bytes(), seconds=60)
    for answer in type_in(world, wait_until):
        world.answers += f"\n== {answer.url} {answer.headers}\n".encode() + answer.content

    for model in (Run, Problem):
        model.objects.update(detail=Concat("detail", Value(f" {PLANTED}")))
    assert {slug: vendor.echoed > 5 for slug, vendor in world.vendors.items()} == dict.fromkeys(world.vendors, True)
    assert all(b"[debug " in log.read_bytes() for log in world.logs.values()), "not everything is logged"
    held = canaries.entered()
    assert {name for name, values in held.items() if not values} == set(), "no canary was entered there"
    assert set().union(*held.values()) == set(ENTERED.values())
    wire = b"".join(bytes(vendor.wire) for vendor in world.vendors.values())
    typed = {*ENTERED.values(), REFRESH, WRONG}
    unsent = typed - set(leaks(wire, typed))
    assert {secret for secret in unsent if not secret.startswith("CANARY")} == set(), "those only sign"
    assert {slug for slug, vendor in world.vendors.items() if len(vendor.issued) > 5} == {"fortnox", "tripletex"}
    assert all(len(vendor.signed) > 1 for vendor in world.vendors.values())
    assert Problem.objects.filter(resolved_at=None).count() >= 3

    # The same bytes are searched for what was planted there, so that nobody takes blindness for cleanliness.
    blind, found = [], {}
    for name, hay in world.all():
        hits = leaks(hay, [PLANTED, *world.secrets])
        blind += [] if hits.pop(PLANTED, None) else [name]
        found |= {name: hits} if hits else {}
    assert blind == [], "the search is blind there"
    assert found == {}, json.dumps(found, indent=1)
    assert unvisited(world.pages["root"]) == {}
    assert {page.name for page in world.pages["root"] if page.status == 200} >= set(TELLING)
    assert world.raised == {slug: {"ConnectorError", "ValueError"} for slug in world.vendors}


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
        assert list(leaks(f"before {hay} after".encode(), [secret])) == [secret], hay
    assert leaks(b"nothing", [secret]) == {}


def test_a_page_that_was_not_visited_is_told(db: None) -> None:
    asked = {name for name, _address in addresses(2)}

    missed = unvisited([Page("admin:index", "/admin/", 200, b""), Page("office:bell", "/admin/bell/", 500, b"")])

    assert "admin:index" in asked - set(missed)
    assert missed["office:bell"] == [500]
    assert missed["office:connection"] == []  # no row of it: no address
