"""Works one slice of a claimed run: steps through its stages until it is done or its time is up.

Each stage commits what it wrote together with where it goes on; killed anywhere, the next slice goes on from there.
"""

import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from structlog.contextvars import bound_contextvars

from apps.connectors.actions import BOOKS_HIDDEN, block_connection, stop_connection, trouble_of
from apps.connectors.enums import ConnectionState
from apps.connectors.registry import label_of
from apps.connectors.sdk.failures import ConnectorError, Failure, NotYetError
from apps.core.scope import organisation_scope
from apps.ledger.balances import recalculate_all, recalculate_touched
from apps.ledger.enums import Grade
from apps.ledger.proof import keep_proof
from apps.notifications.actions import Trouble, raise_problem, resolve_problems
from apps.sync import remedies, stages, turns
from apps.sync.claims import MOST_ATTEMPTS, LeaseLostError, claim, end, hand_on, heartbeat, step
from apps.sync.context import Context
from apps.sync.enums import RunState, Stage
from apps.sync.models import Run

log = logging.getLogger(__name__)

STAGES: dict[str, Callable[[Context], None]] = {
    Stage.COMPANY: stages.company,
    Stage.REGISTERS: stages.registers,
    Stage.OPENINGS: stages.openings,
    Stage.VOUCHERS: stages.vouchers,
    Stage.MISSING: stages.missing,
    Stage.RECALCULATE: stages.recalculate,
    Stage.PROVE: stages.prove,
}
SHORTEST_WAIT = 0.1
LONGEST_DELAY = 300.0


def work(run_id: int) -> Run | None:
    """Claim the run and work one slice of it. None when it is not ours to work; else the run as it stands after."""
    run = claim(run_id)
    return None if run is None else _worked(run)


def work_next(lane: str) -> Run | None:
    """Work one slice of the run whose turn it is. None where nothing may be worked now; else the run as it is after."""
    run = turns.take(lane)
    if run is None:
        return None
    with organisation_scope({run.organisation_id}, "a run"):
        return _worked(run)


def _worked(run: Run) -> Run:
    def look() -> None:
        run.is_wanted = turns.is_wanted_by_people(run)

    began = time.monotonic()
    try:
        with bound_contextvars(run=run.pk), heartbeat(run, look):
            _slice(run)
    except LeaseLostError:
        log.warning("run %s was taken over by another worker", run.pk)
    turns.count(run, time.monotonic() - began)
    turns.wake()
    run.refresh_from_db()
    return run


def _slice(run: Run) -> None:
    if run.attempts > MOST_ATTEMPTS:
        _give_up(run, remedies.crashed(run.detail or "the run ended its worker again and again"), RunState.FAILED)
        return
    context = Context(run, time.monotonic() + settings.KONTOR_SLICE_SECONDS) if run.feed else None
    try:
        if context is None:
            _recalculation(run)
            return
        with context:
            while run.stage != Stage.DONE:
                before = run.stage
                STAGES[run.stage](context)
                if run.stage == before or context.time_is_up:
                    break
        if run.stage == Stage.DONE:
            return
        hand_on(run, wait=context.pause)
    except stages.BlockedError as blocked:
        _blocked(run, blocked)
    except ConnectorError as error:
        _failed(run, error)
    except LeaseLostError:
        raise
    except Exception:  # noqa: BLE001 - any fault of ours: the run must end, and people must hear of it
        detail = traceback.format_exc(limit=-8)
        detail = context.masked(detail) if context else detail
        log.error("run %s: %s", run.pk, detail)  # noqa: TRY400 - the traceback as it is may show secrets
        if run.attempts >= MOST_ATTEMPTS:
            _give_up(run, remedies.crashed(detail), RunState.FAILED)
        else:
            hand_on(run, wait=_delay(run), detail=detail)


def _recalculation(run: Run) -> None:
    def progress(done: int, expected: int) -> None:
        # No progress: the next attempt begins with the first year again, and would never be the last.
        with step(run, progress=False) as changes:
            changes.update(done=done, expected=expected)

    cells = recalculate_all(run.client, progress=progress)
    with transaction.atomic():
        end(run, RunState.SUCCEEDED, stage=Stage.DONE, counts={"cells": cells})
        resolve_problems(subject=run.client, code=remedies.CRASHED)


def _delay(run: Run) -> float:
    return float(min(LONGEST_DELAY, settings.KONTOR_RETRY_SECONDS * 2 ** max(0, run.attempts - 1)))


def _failed(run: Run, error: ConnectorError) -> None:
    """What a vendor's refusal means for the run, by its kind (SDK.md 4)."""
    if isinstance(error, NotYetError):  # it was not even tried
        hand_on(run, wait=max(SHORTEST_WAIT, error.retry_after or 0.0), attempts=max(0, run.attempts - 1))
        return
    if error.failure is Failure.TRANSIENT and run.attempts < MOST_ATTEMPTS:
        hand_on(run, wait=max(_delay(run), error.retry_after or 0.0), detail=str(error))
        return
    trouble = trouble_of(error)
    if error.failure is Failure.TRANSIENT:
        vendor = label_of(run.feed.connection.connector.provider) if run.feed else ""
        trouble = remedies.not_finished(str(Stage(run.stage).label), str(error), vendor)
    state = RunState.PARTIAL if run.done else RunState.FAILED
    _give_up(run, trouble, state, error)


def _blocked(run: Run, blocked: stages.BlockedError) -> None:
    if blocked.trouble.code == BOOKS_HIDDEN:  # the client's, not the connection's
        raise_problem(client=run.client, subject=run.client, trouble=blocked.trouble)
    elif run.feed is not None and run.feed.connection.state != ConnectionState.BLOCKED:
        block_connection(connection=run.feed.connection, trouble=blocked.trouble, identity=blocked.identity)
    _give_up(run, blocked.trouble, RunState.BLOCKED)


def _give_up(run: Run, trouble: Trouble, state: RunState, error: ConnectorError | None = None) -> None:
    """End the run without having read to the end: the books are not complete, and the problem says why."""
    feed = run.feed
    if error is not None:
        recalculate_touched(run.client)  # whole pages were taken in: the balances follow them, complete or not
    with transaction.atomic():
        end(run, state, failure=trouble.failure, remedy=trouble.code, detail=trouble.detail)
        if feed is None:
            raise_problem(client=run.client, subject=run.client, trouble=trouble)
            return
        if error is not None and error.failure is not Failure.TRANSIENT:
            stop_connection(feed.connection, error)
        elif state != RunState.BLOCKED:  # who blocked the connection has told
            raise_problem(client=run.client, subject=feed.connection, trouble=trouble)
        keep_proof(
            client=run.client,
            source=stages.source_of(feed),
            run_id=run.pk,
            grade=Grade.NOT_COMPLETE,
            missing=[
                {"kind": "not_read", "code": trouble.code, "stage": run.stage, "title": trouble.title, **trouble.facts}
            ],
        )
        stages.forget_seen(run)
    if run.started_at is not None:
        log.info("run %s ended %s after %s", run.pk, state, datetime.now(UTC) - run.started_at)
