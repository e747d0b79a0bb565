"""Lines that a worker writes name the run they belong to."""

import logging

import pytest
from structlog.contextvars import get_contextvars

from apps.sync import engine, tasks
from apps.sync.models import Run
from tests.factories import FeedFactory
from tests.office.bureau import run_of


@pytest.mark.django_db
def test_a_workers_lines_carry_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run: Run = run_of(FeedFactory())
    told: list[dict[str, object]] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append({"line": record.getMessage(), **get_contextvars()})

    def work(_run: Run) -> None:
        logging.getLogger("apps.sync.engine").warning("the vendor is slow")

    monkeypatch.setattr(engine, "_slice", work)
    monkeypatch.setattr(engine.turns, "take", lambda _lane: run)
    handler = Heard()
    logging.getLogger("apps.sync.engine").addHandler(handler)
    try:
        tasks.work(run.pk)
    finally:
        logging.getLogger("apps.sync.engine").removeHandler(handler)

    assert told == [{"line": "the vendor is slow", "run": run.pk}]
    assert "run" not in get_contextvars()
