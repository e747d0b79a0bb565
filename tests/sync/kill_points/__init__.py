"""Points at which another process may kill a worker: an app of the workers that a test starts (see settings.py).

A test orders a phase; the worker that takes the order says who it is and stays where it is until it is killed. Every
slice notes when it began and ended, so that a test can see whether two processes ever worked a run at once.
"""

import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

FOLDER = "KONTOR_KILL_POINTS"
DIE_AT = "KONTOR_DIE_AT"  # a phase in which every worker ends itself
SETTINGS = "tests.sync.kill_points.settings"
# `claim`: the run is ours, nothing is done. `page`: one has come, nothing of it is stored. `store` and `recalculate`:
# written, not committed. `prove`: about to compare. `finish`: the end is written, not committed.
PHASES = ("claim", "page", "store", "recalculate", "prove", "finish")
STAGES = ("registers", "openings", "missing")  # about to begin


def at(phase: str) -> None:
    if os.environ.get(DIE_AT) == phase:
        os._exit(3)
    folder = Path(os.environ[FOLDER])
    for order in sorted(folder.glob(f"order.{phase}.*"), reverse=True):
        try:
            order.unlink()
        except FileNotFoundError:  # another worker has taken it
            continue
        if order.suffix == ".0":
            made = folder / f"made.{os.getpid()}"
            made.write_text(str(os.getpid()), encoding="utf-8")
            made.rename(folder / "here")
            time.sleep(120)
        return


def note(what: str, run: int) -> None:
    line = json.dumps({"what": what, "run": run, "pid": os.getpid(), "at": time.monotonic()})
    with (Path(os.environ[FOLDER]) / "slices").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def stop_before(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def stopped(*args: Any, **kwargs: Any) -> Any:
        at(phase)
        return call(*args, **kwargs)

    return stopped


def stop_after(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def stopped(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        if not (phase == "claim" and result is None):
            at(phase)
        return result

    return stopped


def stop_after_first(phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """After every call but the first of this process."""
    calls: list[None] = []

    @wraps(call)
    def stopped(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        if calls:
            at(phase)
        calls.append(None)
        return result

    return stopped


def noted(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def slice_(run: Any) -> Any:
        note("begin", run.pk)
        try:
            return call(run)
        finally:
            note("end", run.pk)

    return slice_


def set_up() -> None:
    from apps.ledger import balances, intake
    from apps.sync import engine, proving, stages, turns
    from apps.sync.enums import Stage

    turns.claim = stop_after("claim", turns.claim)
    stages._take = stop_before("page", stages._take)
    intake.Intake.take = stop_after("store", intake.Intake.take)  # type: ignore[method-assign]
    balances._hold = stop_after("recalculate", stop_after_first("second_year", balances._hold))
    engine.STAGES[Stage.PROVE] = stop_before("prove", engine.STAGES[Stage.PROVE])
    proving.end = stop_after("finish", proving.end)
    for name in STAGES:
        engine.STAGES[Stage(name)] = stop_before(name, engine.STAGES[Stage(name)])
    engine._slice = noted(engine._slice)


@dataclass
class Slice:
    run: int
    pid: int
    begun: float
    ended: float


class KillPoints:
    """The test's side. `environment` is for the processes that are to be killed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.environment = {FOLDER: str(folder), "DJANGO_SETTINGS_MODULE": SETTINGS}
        self.killed: dict[int, float] = {}

    def order(self, phase: str, *, passed: int = 0) -> None:
        """The next worker in this phase stays there, after so many that pass."""
        for number in range(passed + 1):
            (self.folder / f"order.{phase}.{number}").touch()

    def reached(self) -> int | None:
        """The pid of the worker that stays in the ordered phase."""
        try:
            return int((self.folder / "here").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def kill(self) -> None:
        import psutil

        pid = self.reached()
        assert pid is not None
        worker = psutil.Process(pid)
        (self.folder / "here").unlink()
        worker.kill()
        psutil.wait_procs([worker], timeout=10)
        self.killed[pid] = time.monotonic()

    def slices(self) -> list[Slice]:
        """All slices that were begun; a killed worker's ended with it."""
        found: list[Slice] = []
        open_: dict[int, Slice] = {}
        file = self.folder / "slices"
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            told = json.loads(line)
            if told["what"] == "begin":
                open_[told["pid"]] = Slice(told["run"], told["pid"], told["at"], float("inf"))
                found.append(open_[told["pid"]])
            else:
                open_.pop(told["pid"]).ended = told["at"]
        for one in open_.values():
            one.ended = self.killed.get(one.pid, one.ended)
        return found

    def worked_at_once(self) -> list[tuple[Slice, Slice]]:
        """Pairs of slices of one run that overlapped in time."""
        slices = sorted(self.slices(), key=lambda one: (one.run, one.begun))
        pairs = itertools.pairwise(slices)
        return [(one, other) for one, other in pairs if one.run == other.run and other.begun < one.ended]
