"""What every test stands on: a database of its own, fixed keys, and processes that see the same data.

`KONTOR_TEST_DB=sqlite|postgres` chooses the database; `KONTOR_TEST_ONLY=database` leaves out tests that touch none.
Settings are loaded below, after the environment is set: nothing of the developer's own environment is used.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests import servers, specs

ROOT = Path(__file__).resolve().parent.parent

# A worker of xdist has inherited the environment set here, and has loaded its settings from it.
if settings.configured and "PYTEST_XDIST_WORKER" not in os.environ:
    message = "settings were loaded before tests/conftest.py: unset DJANGO_SETTINGS_MODULE and leave out --ds"
    raise RuntimeError(message)

DATABASE = os.environ.get("KONTOR_TEST_DB", "sqlite")

for name in [name for name in os.environ if name.startswith("CONNECTOR_")]:
    del os.environ[name]
for name in ("KONTOR_ENV", "KONTOR_DEBUG", "ALLOWED_HOSTS", "EMAIL_URL", "Q_CLUSTER_NAME", "REDIS_URL"):
    os.environ.pop(name, None)
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "DATABASE_URL": servers.database_url(DATABASE),
    "SECRET_KEY": "a-key-of-the-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
    "FERNET_KEYS": "the-first-fernet-key-of-the-tests-0123456789",
}

# A file, where the default would be memory: other processes must see it. xdist adds a suffix for each of its workers.
if DATABASE == "sqlite":
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = f"{settings.DATABASES['default']['NAME']}-test"
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Seconds for processes that a test starts: short, but longer than a busy machine's hiccups.
SHORT_TIMES = {
    "KONTOR_LEASE_SECONDS": "3",
    "KONTOR_HEARTBEAT_SECONDS": "0.5",
    "KONTOR_SLICE_SECONDS": "5",
    "KONTOR_TASK_SECONDS": "20",
    "KONTOR_POLL_SECONDS": "0.2",
    "KONTOR_WORKERS": "2",
    "KONTOR_WORKERS_INTERACTIVE": "1",
}

_DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "manage"}
_OWN_COUNTS = pytest.StashKey[Path]()
_soaked: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Count checks against vendor specifications, also of a run that `make test` did not start."""
    if specs.FOLDER_VARIABLE not in os.environ:
        os.environ[specs.FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="kontor-specs-")
        config.stash[_OWN_COUNTS] = Path(os.environ[specs.FOLDER_VARIABLE])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _OWN_COUNTS in config.stash:
        shutil.rmtree(config.stash[_OWN_COUNTS], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = []
    for item in items:
        touches = item.get_closest_marker("django_db") or _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
        if (os.environ.get("KONTOR_TEST_ONLY") == "database" and not touches) or (
            item.get_closest_marker("screens") and "KONTOR_SCREENS" not in os.environ
        ):
            unwanted.append(item)
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _soaked.extend(str(value) for name, value in report.user_properties if name == "endurance")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in _soaked:
        terminalreporter.write_line(line)
    if _OWN_COUNTS in config.stash:
        terminalreporter.write_line(specs.summary(config.stash[_OWN_COUNTS])[0])


def current_database_url() -> str:
    """DATABASE_URL of the test database, for another process."""
    from django.db import connection

    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    return f"postgres://{chosen['USER']}@/{chosen['HOST']}/{chosen['NAME']}"


@dataclass
class Manage:
    """Runs `manage.py` in processes of their own, on the test's database and with short times."""

    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(
        self, *arguments: str, check: bool = True, timeout: float = 120, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `check` fails the test with the command's words unless it exits 0."""
        return self._run(["manage.py", *arguments], check=check, timeout=timeout, environment=environment)

    def python(self, code: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `code` with Django set up, in a process of its own."""
        before = "import django; django.setup()\nfrom apps.core.scope import system_scope\n"
        return self._run(["-c", before + code], check=check, timeout=120, environment=environment)

    def _run(
        self, arguments: list[str], *, check: bool, timeout: float, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_session(process)  # workers that it started would claim the runs of later tests
            raise
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if check and done.returncode:
            pytest.fail(f"{' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, *arguments: str, log: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own; whatever is left of it is killed when the test ends.

        What it and its children say goes to `log`, where one is given.
        """
        with ExitStack() as stack:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stderr=stack.enter_context(log.open("ab")) if log else None,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def stop(self) -> None:
        for process in self.started:
            _kill_session(process)
        self.started.clear()


def _kill_session(process: subprocess.Popen[str]) -> None:
    import psutil

    # Children that made a session or group of their own (a lane's workers) are found before their parent is gone.
    members: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        members = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(members, timeout=10)
    process.wait(timeout=10)


@pytest.fixture
def manage(transactional_db: None, tmp_path: Path) -> Iterator[Manage]:
    """`manage("sync", "--all")` runs a command, `manage.start("work")` starts one. Data is really committed."""
    own = {"DATABASE_URL": current_database_url(), "TMPDIR": str(tmp_path)}  # what killed processes leave goes with it
    runner = Manage(dict(os.environ) | SHORT_TIMES | own)
    yield runner
    runner.stop()


@pytest.fixture(scope="session")
def redis_of_this_run() -> Iterator[servers.RedisServer]:
    server = servers.RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_server(redis_of_this_run: servers.RedisServer, settings: Any) -> servers.RedisServer:
    """Limits are counted in Redis, in this process; `manage.environment` takes `REDIS_URL` for others."""
    redis_of_this_run.kill()
    redis_of_this_run.start()  # empty
    settings.REDIS_URL = redis_of_this_run.url
    return redis_of_this_run


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(lambda: ..., seconds=30)`: asks again until it is true; fails with the asked thing's last value."""

    def wait(condition: Callable[[], object], *, seconds: float = 30, every: float = 0.1) -> None:
        end = time.monotonic() + seconds
        value = condition()
        while not value:
            if time.monotonic() > end:
                pytest.fail(f"not reached within {seconds} seconds; last value: {value!r}")
            time.sleep(every)
            value = condition()

    return wait


@dataclass
class Endurance:
    """One long test: how often it must do its thing, and how often it did."""

    name: str
    seed: int
    planned: int
    done: int = 0
    failures: int = 0
    seconds: float = 0


@pytest.fixture
def endurance(request: pytest.FixtureRequest) -> Iterator[Callable[..., Endurance]]:
    """Plan how often a long test does its thing: `endurance(short=5, full=100)` gives an Endurance to count in.

    `make test` plans the short number, `make soak` the full one, prints one JSON line, and fails when less was done.
    """
    jobs: list[tuple[Endurance, float]] = []

    def begin(*, short: int, full: int, name: str = "") -> Endurance:
        planned = full if os.environ.get("KONTOR_SOAK") == "1" else short
        job = Endurance(name or request.node.name, int(os.environ.get("KONTOR_SEED", "20261120")), planned)
        jobs.append((job, time.monotonic()))
        return job

    yield begin
    for job, started in jobs:
        job.seconds = round(time.monotonic() - started, 1)
        request.node.user_properties.append(("endurance", json.dumps(asdict(job))))
    for job, _ in jobs:
        assert job.done >= job.planned, f"{job.name}: {job.done} of {job.planned} done"
        assert not job.failures, f"{job.name}: {job.failures} failures"
