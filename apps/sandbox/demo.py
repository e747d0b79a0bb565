"""The demo: three bureaus on sandboxes, two nights through the real workers, and what they found."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from apps.clients.models import Client
from apps.connectors.actions import activate, activate_connection, activate_shared, connect
from apps.connectors.models import Connection, Connector
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.ledger.enums import Grade
from apps.ledger.models import LedgerState, Posting, Voucher
from apps.notifications.models import Affected
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.records.enums import Counts
from apps.sandbox.serving import SandboxProcess
from apps.sandbox.story import COMPLETE, ClientStory, Story
from apps.sync.actions import start_run
from apps.sync.enums import LIVE, RunKind, RunState
from apps.sync.models import Run

OWNER_PASSWORD = "kontor-demo"  # noqa: S105 - of a made-up bureau, on this machine only
NIGHT_SECONDS = 600
DROPPED = {"drop-voucher": 1, "drop-page": 20}  # vouchers
DROPPED_DAYS = timedelta(days=60)
Say = Callable[[str], None]


@dataclass
class Demo:
    """One demo in this database. `told` are its stories; `made` the connections by client number."""

    told: list[Story]
    sandbox: SandboxProcess
    say: Say
    feeds: list[Feed] = field(default_factory=list)
    worker: subprocess.Popen[bytes] | None = None

    def set_up(self) -> None:
        """Bureaus, people, clients, connectors and feeds, as staff would make them; each connector is activated."""
        for story in self.told:
            organisation = _organisation(story)
            shared = {item.key: _shared(organisation, item) for item in story.connectors}
            for client_story in story.clients:
                client = _client(organisation, client_story)
                connection, word = _connected(client, client_story, shared)
                self.say(f"  {client.number} {client.name}: {word}")
                self.feeds.append(ensure_feed(connection=connection, actor=None))

    def start_worker(self) -> None:
        command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "work"]
        self.worker = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own program

    def stop_worker(self) -> None:
        """Let the worker drain; what would not end is ended."""
        if self.worker is None:
            return
        self.worker.send_signal(signal.SIGTERM)
        try:
            self.worker.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.worker.pid, signal.SIGKILL)

    def fault(self, switch: str, provider: str | None) -> str:
        """Turn a fault on for one client that is complete otherwise; returns its number."""
        for story in self.told:
            for client in story.clients:
                if client.expect == COMPLETE and provider in (None, client.connector.provider):
                    slug, settings = client.connector.provider, _fault_settings(story, client.company, switch)
                    self.sandbox.fault(slug, client.company, switch, settings)
                    return client.number
        raise ValueError(f"no client uses {provider}")

    def edit(self) -> None:
        """What the stories say happens in the sources between the nights."""
        for story in self.told:
            provider = {client.company: client.connector.provider for client in story.clients}
            for company, change in story.edits:
                self.sandbox.edit(provider[company], company, change)

    def night(self, number: int) -> list[Run]:
        """Start every feed's nightly run and wait until the workers have ended them all."""
        night = timezone.localdate() - timedelta(days=2 - number)
        runs = [start_run(feed=feed, kind=RunKind.NIGHTLY, night=night) for feed in self.feeds]
        deadline = time.monotonic() + NIGHT_SECONDS
        ids = [run.pk for run in runs]
        shown = -1
        while Run.objects.filter(pk__in=ids, state__in=LIVE).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the night did not end within {NIGHT_SECONDS} seconds")
            done = Run.objects.filter(pk__in=ids).exclude(state__in=LIVE).count()
            read = Run.objects.filter(pk__in=ids).aggregate(done=Sum("done"))["done"] or 0
            if read != shown:
                self.say(f"  night {number}: {done} of {len(ids)} clients done, {read} vouchers read")
                shown = read
            time.sleep(0.5)
        return list(Run.objects.filter(pk__in=ids).select_related("client"))

    def summary(self, nights: list[list[Run]]) -> dict[str, Any]:
        """What COMMANDS.md promises of `demo --json`."""
        runs = [run for night in nights for run in night]
        grades = [state.proof.grade for state in LedgerState.objects.select_related("proof") if state.proof]
        problems: dict[str, set[str]] = defaultdict(set)
        for hit in Affected.objects.filter(cleared_at=None).select_related("problem", "client"):
            problems[hit.problem.code].add(hit.client.number)
        difference = sum(
            (state.proof.control_difference for state in LedgerState.objects.select_related("proof") if state.proof),
            Decimal(0),
        )
        last = nights[-1] if nights else []
        return {
            "clients": Client.objects.count(),
            "clients_complete": sum(grade in (Grade.CONTROL_TOTALS, Grade.FILE_TOTALS) for grade in grades),
            "runs": {
                "succeeded": sum(run.state == RunState.SUCCEEDED for run in runs),
                "failed": sum(run.state != RunState.SUCCEEDED for run in runs),
            },
            "vouchers": Voucher.objects.filter(deleted_at=None).count(),
            "postings": Posting.objects.count(),
            "control_difference": f"{difference:.2f}",
            "not_provable": sum(grade == Grade.NOT_PROVABLE for grade in grades),
            "problems": [{"code": code, "clients": sorted(numbers)} for code, numbers in sorted(problems.items())],
            "moved": {
                kind: sum(run.counts.get(kind, 0) for run in last)
                for kind in ("changed", "deleted", "moved", "backdated")
            },
        }


def _fault_settings(story: Story, company: str, switch: str) -> dict[str, Any]:
    """What a fault hits: vouchers of late that the story's own edits leave alone, or they would mend it again."""
    count = DROPPED.get(switch)
    if count is None:
        return {}
    books = next(told.books for told in story.companies if told.books.company == company)
    edited = {change.external_id for key, change in story.edits if key == company}
    recent = sorted(
        (voucher.date, voucher.external_id)
        for voucher in books.vouchers
        if voucher.counts is Counts.POSTED
        and voucher.external_id not in edited
        and timedelta(0) <= story.today - voucher.date <= DROPPED_DAYS
    )
    start = max(0, (len(recent) - count) // 2)
    return {"external_ids": [key for _day, key in recent[start : start + count]]}


def _organisation(story: Story) -> Organisation:
    told = story.organisation
    organisation, _made = Organisation.objects.get_or_create(
        slug=told.slug,
        defaults={
            "name": told.name, "country": told.country, "time_zone": told.time_zone, "language": told.language,
        },
    )  # fmt: skip
    email = f"owner@{told.slug}.example"
    owner = User.objects.filter(email=email).first()
    if owner is None:
        owner = User.objects.create_user(
            email, OWNER_PASSWORD, name=f"{told.name}", is_staff=True, language="en", time_zone=told.time_zone
        )
    Membership.objects.get_or_create(user=owner, organisation=organisation, defaults={"role": Role.OWNER})
    return organisation


def _shared(organisation: Organisation, told: Any) -> Connector:
    held: Connector | None = Connector.objects.filter(
        organisation=organisation, client=None, provider=told.provider
    ).first()
    if held is not None:
        return held
    outcome = activate_shared(
        organisation=organisation, provider=told.provider, auth=told.auth, values=told.values, secrets={}, actor=None
    )
    if outcome.connector is None or outcome.trouble is not None:
        raise RuntimeError(f"{told.label}: {outcome.trouble}")
    return outcome.connector


def _client(organisation: Organisation, told: ClientStory) -> Client:
    client: Client = Client.objects.get_or_create(
        organisation=organisation,
        number=told.number,
        defaults={"name": told.name, "country": told.country, "organisation_number": told.organisation_number},
    )[0]
    return client


def _connected(client: Client, told: ClientStory, shared: dict[str, Connector]) -> tuple[Connection, str]:
    if told.connector.key:
        connection = connect(client=client, connector=shared[told.connector.key], actor=None)
        outcome = activate_connection(connection=connection, actor=None)
    else:
        outcome = activate(
            client=client,
            provider=told.connector.provider,
            auth=told.connector.auth,
            values=told.connector.values,
            secrets={},
            actor=None,
        )
    if outcome.connection is None:
        raise RuntimeError(f"{client}: {outcome.trouble}")
    found = outcome.connection
    if outcome.trouble is not None:
        return found, f"not activated: {outcome.trouble.code}"
    return found, f"activated, {found.company}"
