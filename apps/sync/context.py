"""What the stages of a ledger run work with: the session, the books, the clock, and the fenced commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.utils import timezone

from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.connectors.sdk.declaration import Endpoint, Provider
from apps.connectors.sdk.queries import Digests, Page
from apps.connectors.sdk.session import A_BIT, Session
from apps.connectors.sessions import keep_shapes, open_session, recorder_of
from apps.flows.models import Feed
from apps.ledger.intake import Intake
from apps.ledger.models import Source
from apps.records.enums import Resource
from apps.sync.claims import step
from apps.sync.models import Run
from apps.sync.turns import others_wait

LITTLE = 5  # requests that may be made twice to let another run use the worker
WHOLE_PASS_EVERY = timedelta(days=7)


class Context:
    """One slice of a run with a feed. Made with the claimed run; closes the session's connections at the end."""

    def __init__(self, run: Run, deadline: float) -> None:
        assert run.feed is not None  # noqa: S101 - recalculations never come here
        self.run = run
        self.deadline = deadline
        self.feed: Feed = run.feed
        self.connection: Connection = run.feed.connection
        self.client: Client = run.client
        self._session: Session | None = None
        self._intake: Intake | None = None
        self._counted = 0
        self._warned: set[str] = set()
        self._progressed = False  # the next slice would go on from this one's last step
        self.pause = 0.0  # seconds until the run may go on, where it stopped for its turn under the vendor's limits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.transport.close()
            keep_shapes(self._session)

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = open_session(self.connection, run_id=self.run.pk)
            self._session.is_in_the_way = self._is_in_the_way
        return self._session

    @property
    def provider(self) -> Provider:
        return self.session.provider

    def endpoint(self, resource: Resource) -> Endpoint | None:
        return self.provider.resources.get(resource)

    @property
    def time_is_up(self) -> bool:
        """Asked between two steps, where stopping loses nothing."""
        return time.monotonic() >= self.deadline or self.run.is_wanted or self._must_pause()

    def _must_pause(self) -> bool:
        """Whether the next calls would wait for the vendor's limits while other runs could use this worker."""
        if self._session is None:
            return False
        wait = self._session.limiter.pause(self.provider.limits)
        if wait <= A_BIT or not self._is_in_the_way():
            return False
        self.pause = wait
        return True

    def _is_in_the_way(self) -> bool:
        """Not before this slice has brought something: a run that gives way each time would never come to an end.

        Nor where much was asked for since the last step, which would be asked for again.
        """
        made = self._session.requests if self._session else 0
        return self._progressed and made - self._counted <= LITTLE and others_wait(self.run)

    @property
    def today(self) -> date:
        """Today where the client is."""
        return timezone.now().astimezone(self.client.zone).date()

    @contextmanager
    def step(self, *, progress: bool = True) -> Iterator[dict[str, Any]]:
        """A transaction of the run; counts the requests made since the last one.

        Without progress the next slice begins where this one began, and it stays an attempt of its own.
        """
        made = self._session.requests if self._session else 0
        with step(self.run, progress=progress) as changes:
            yield changes
            changes["requests"] = self.run.requests + made - self._counted
            if self._warned:
                resume = changes.get("resume", self.run.resume)
                changes["resume"] = {**resume, "warned": sorted({*resume.get("warned", ()), *self._warned})}
        self._counted = made
        self._warned = set()
        self._progressed = progress

    def warn(self, page: Page) -> None:
        """What the page says could not be read is kept with the run's next step, and becomes a finding at its end."""
        self._warned.update(page.warnings)

    def masked(self, text: str) -> str:
        """The text without the secrets of this slice's session."""
        return self._session.masker.text(text) if self._session else text

    def begin_again(self) -> None:
        """Forget what this slice has read: a second pass must ask the vendor, and know the years that it brings."""
        if self._session is not None:
            self.session.transport.close()
            keep_shapes(self.session)
        self._session = self._intake = None
        self._counted = 0

    def intake(self, source: Source) -> Intake:
        if self._intake is None:
            self._intake = Intake(
                client=self.client,
                source=source,
                run_id=self.run.pk,
                last_reading=self.last_reading,
                first_load=self.run.first_load,
            )
        return self._intake

    @property
    def last_reading(self) -> date | None:
        read_at: datetime | None = self.feed.read_at
        return read_at.astimezone(self.client.zone).date() if read_at else None

    @property
    def exchange_id(self) -> int | None:
        return recorder_of(self.session).last_exchange_id

    def is_whole_pass_due(self) -> bool:
        """By days, not hours: a run that ended at 02:11 must not put the next whole pass off to the eighth night."""
        done: datetime | None = self.feed.whole_pass_at
        return done is None or self.today - done.astimezone(self.client.zone).date() >= WHOLE_PASS_EVERY

    def window_start(self) -> date:
        return self.today - timedelta(days=settings.KONTOR_WINDOW_DAYS)


class StoredDigests:
    """The digests of the pages as they were when this connection read them last."""

    def __init__(self, held: dict[str, str]) -> None:
        self.held = held

    def get(self, key: str) -> str | None:
        return self.held.get(key)


NO_DIGESTS: Digests = StoredDigests({})
