"""This host's processes, told apart for certain: a pid alone is soon somebody else's.

Everything that a lane starts inherits the lane's mark in its environment, whatever its parent or session is later.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import psutil

MARK: Final = "KONTOR_LANE_MARK"
PATIENCE = 5.0  # seconds for killed processes to be gone


def own_mark() -> str:
    """The mark of the lane that this process works for; empty outside lanes."""
    return os.environ.get(MARK, "")


def identity(pid: int) -> str:
    """`pid:seconds`, the latter from the machine's start to its own: never that of another process with this pid.

    Raises psutil.NoSuchProcess.
    """
    process = psutil.Process(pid)
    # both are read against the clock as it stands now: a clock that was set changes nothing
    return f"{pid}:{process.create_time() - psutil.boot_time():.2f}"


def lives(known: str) -> bool:
    """Whether the process of this identity still runs."""
    pid = int(known.partition(":")[0])
    try:
        return identity(pid) == known and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        found: str | None = process.environ().get(MARK)
    except (psutil.Error, OSError):  # gone meanwhile, or another user's
        return False
    return found == mark


def is_marked(pid: int, mark: str) -> bool:
    with suppress(psutil.Error):
        return has_mark(psutil.Process(pid), mark)
    return False


def marked(mark: str) -> Iterator[psutil.Process]:
    """The processes of a lane that live."""
    return (process for process in psutil.process_iter() if has_mark(process, mark))


def kill_marked(mark: str) -> bool:
    """SIGKILL to whatever is left of a lane, children that are just being made too. Returns whether all are gone."""
    for _ in range(5):
        members = list(marked(mark))
        if not members:
            return True
        for member in members:
            with suppress(psutil.Error):
                member.kill()  # psutil looks first whether the pid is another's by now
        psutil.wait_procs(members, timeout=PATIENCE)
    return not any(marked(mark))
