"""A bureau on the sandbox: small books over real HTTP, connectors activated, feeds ready to run."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.clients.models import Client
from apps.connectors import environment
from apps.connectors.sdk.sandbox import Sandbox
from apps.flows.models import Feed
from apps.sandbox.demo import Demo
from apps.sandbox.server import running
from apps.sandbox.serving import SandboxProcess, open_sandboxes, seed
from apps.sandbox.story import COMPLETE, STORIES, Story, load_story
from tests.conftest import ROOT, Manage

SLUG = "tripletex"


@cache
def _story(today: date, vouchers: int) -> Story:
    return load_story(STORIES / "nordvik.toml", today, vouchers=vouchers)


@dataclass
class Bureau:
    """`environment` points processes at the sandbox; `feeds` by client number."""

    story: Story
    url: str
    sandbox: Sandbox
    feeds: dict[str, Feed]
    environment: dict[str, str]

    @property
    def clients(self) -> list[Client]:
        return [feed.client for feed in self.feeds.values()]

    def held_by_vendor(self, number: str) -> int:
        """How many vouchers the company has at the vendor, drafts too; the opening balance is no voucher of ours."""
        return sum(not row.get("opening") for row in self.sandbox.store.rows(number, "voucher"))

    def slow(self, number: str, seconds: float, path: str = "/ledger/voucher", **settings: Any) -> None:
        self.sandbox.fault(number, "slow", {"seconds": seconds, "path": path, **settings})

    def fast(self, number: str) -> None:
        self.sandbox.fault(number, "slow", None)


@contextmanager
def bureaus(manage: Manage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bureau]]:
    """A maker of bureaus, whose sandboxes are served until the block ends."""
    with ExitStack() as stack:

        def make(*, clients: int = 1, vouchers: int = 40) -> Bureau:
            told = _story(timezone.localdate(), vouchers)
            kept = tuple(client for client in told.clients if client.expect == COMPLETE)[:clients]
            companies = {client.company for client in kept}
            told = replace(
                told,
                clients=kept,
                companies=tuple(company for company in told.companies if company.books.company in companies),
                edits=tuple(edit for edit in told.edits if edit[0] in companies),
            )
            sandboxes = open_sandboxes(folder / "sandbox", [SLUG])
            seed(sandboxes, [told])
            url = stack.enter_context(running(sandboxes))
            operator = {environment.variable(SLUG, name): value for name, value in told.operator[SLUG].items()}
            operator[environment.variable(SLUG, "BASE_URL")] = f"{url}/{SLUG}"
            operator[environment.PRIVATE_HOSTS] = url.removeprefix("http://")
            for name, value in operator.items():
                monkeypatch.setenv(name, value)
            manage.environment |= operator
            demo = Demo(told=[told], sandbox=SandboxProcess(folder), say=lambda _text: None)
            demo.set_up()
            feeds = {feed.client.number: feed for feed in demo.feeds}
            return Bureau(told, url, sandboxes[SLUG], feeds, operator)

        yield make
        manage.stop()  # before the sandbox that its workers are reading from


def python(code: str, *arguments: str) -> list[str]:
    """A command that runs `code` with Django set up, everything in scope, and `arguments` in `sys.argv[1:]`."""
    before = "import sys, django; django.setup()\nfrom apps.core.scope import system_scope, organisation_scope\n"
    return [sys.executable, "-c", before + code, *arguments]


def start(manage: Manage, code: str, *arguments: object) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        python(code, *(str(argument) for argument in arguments)),
        cwd=ROOT,
        env=manage.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    manage.started.append(process)
    return process


def told(process: "subprocess.Popen[str]", line: object) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
