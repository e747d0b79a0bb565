"""The sandboxes of all providers over one file each, filled from the stories and served by a process of their own."""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from django.conf import settings

from apps.connectors import environment
from apps.connectors.registry import all_providers
from apps.connectors.sdk.sandbox import Edit, Sandbox
from apps.records.json import to_json
from apps.sandbox.store import Store
from apps.sandbox.story import Story, load_story, story_files

START_SECONDS = 20
PORT = 8000  # of the pages, unless told otherwise


def stories(now: datetime, vouchers: int | None = None) -> list[Story]:
    """All stories in their order, each as it stands where its bureau is.

    KONTOR_DEMO_VOUCHERS: about so many vouchers per company, for tests.
    """
    vouchers = vouchers or int(os.environ.get("KONTOR_DEMO_VOUCHERS", "0")) or None
    return [load_story(path, now.astimezone(ZoneInfo(zone)).date(), vouchers) for path, zone in story_files()]


def providers_of(told: Iterable[Story]) -> list[str]:
    """The providers that the stories' companies use, each once."""
    return list(dict.fromkeys(company.provider for story in told for company in story.companies))


def open_sandboxes(folder: Path, slugs: Iterable[str]) -> dict[str, Sandbox]:
    """The sandboxes of these providers; each has its own file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Sandbox] = {}
    for slug in slugs:
        module = importlib.import_module(_package(slug) + ".sandbox")
        found[slug] = module.make_sandbox(Store(folder / f"{slug}.sqlite3"))
    return found


def _package(slug: str) -> str:
    """The provider's package."""
    package = all_providers()[slug].verify.__module__
    return package.rsplit(".", 1)[0]


def seed(sandboxes: Mapping[str, Sandbox], told: Iterable[Story], port: int = PORT) -> None:
    """`port`: where Kontor's pages are served on this machine; a consent comes back there."""
    for story in told:
        for company in story.companies:
            if company.provider in sandboxes:
                sandboxes[company.provider].seed(company.books, _with_pages(company.access, port))


def _with_pages(access: Any, port: int) -> Any:
    """What a story says of access, with the address of the pages filled in."""
    if isinstance(access, Mapping):
        return {name: _with_pages(value, port) for name, value in access.items()}
    if isinstance(access, list):
        return [_with_pages(value, port) for value in access]
    if not isinstance(access, str):
        return access
    return access.replace("%PAGES%", f"http://127.0.0.1:{port}").replace("%LOCALHOST%", f"http://localhost:{port}")


class SandboxProcess:
    """The served sandboxes, as another program sees them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base_url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start `manage.py sandbox` on a free port. Raises RuntimeError when it does not come up."""
        manage = str(Path(settings.BASE_DIR) / "manage.py")
        command = [sys.executable, manage, "sandbox", "--folder", str(self.folder), "--port", "0", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        self.base_url = json.loads(line)["base_url"]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                requests.get(self.base_url, timeout=2)
                return
            except requests.ConnectionError:
                time.sleep(0.1)
        raise RuntimeError(f"the sandbox does not answer at {self.base_url}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def edit(self, slug: str, company: str, change: Edit) -> None:
        self._control(slug, f"{company}/edit", to_json(change))

    def fault(self, slug: str, company: str, switch: str, settings: Mapping[str, Any]) -> None:
        self._control(slug, f"{company}/fault", {"switch": switch, "settings": dict(settings)})

    def _control(self, slug: str, path: str, given: Mapping[str, Any]) -> None:
        answer = requests.post(f"{self.base_url}/__sandbox__/{slug}/{path}", json=given, timeout=60)
        if answer.status_code != 200:
            raise RuntimeError(f"sandbox {slug}, {path}: {answer.text}")


def point_providers(base_url: str, told: Iterable[Story]) -> None:
    """Make this process, and those it starts, use the sandboxes: the operator's settings of the stories' providers."""
    host = base_url.split("//", 1)[1]
    os.environ[environment.PRIVATE_HOSTS] = host
    for story in told:
        for slug, fields in story.operator.items():
            os.environ[environment.variable(slug, "BASE_URL")] = f"{base_url}/{slug}"
            for name, value in fields.items():
                os.environ[environment.variable(slug, name)] = value
