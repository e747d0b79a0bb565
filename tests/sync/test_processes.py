"""Processes are known by their mark or by their birth, never by a pid alone."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from apps.sync.processes import MARK, identity, is_marked, kill_marked, lives, marked

Start = Callable[..., "subprocess.Popen[bytes]"]
CHILDREN = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\nprint('up', flush=True)\ntime.sleep(60)"


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def make(code: str = "print('up', flush=True); import time; time.sleep(60)", **environment: str) -> Any:
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield make
    for process in started:
        process.kill()
        process.wait()
        with suppress(AttributeError):
            process.stdout.close()  # type: ignore[union-attr]


def test_a_process_lives_until_it_is_killed_also_before_its_parent_has_asked(start: Start) -> None:
    process = start()
    known = identity(process.pid)
    assert lives(known)
    assert identity(process.pid) == known

    process.kill()
    while lives(known):  # it stays as a zombie, which is dead
        pass
    assert process.returncode is None
    process.wait()
    assert not lives(known)


def test_another_process_with_the_pid_is_not_taken_for_the_old_one(start: Start) -> None:
    pid, _, born = identity(start().pid).partition(":")

    assert lives(f"{pid}:{born}")
    assert not lives(f"{pid}:{float(born) - 1:.2f}")


def test_killed_is_what_has_the_mark_in_whatever_session_and_nothing_else(start: Start) -> None:
    mine, other, none = start(CHILDREN, **{MARK: "mine"}), start(**{MARK: "other"}), start(**{MARK: ""})
    members = list(marked("mine"))
    assert len(members) == 2
    assert len({os.getsid(member.pid) for member in members}) == 2
    assert is_marked(mine.pid, "mine")
    assert not is_marked(other.pid, "mine")

    assert kill_marked("mine")
    assert mine.wait(5) in (-9, 0)
    assert not any(member.is_running() for member in members)
    assert (other.poll(), none.poll()) == (None, None)
    assert kill_marked("mine")
