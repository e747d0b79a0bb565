"""What can go wrong with a vendor, and who must do what about it (shared/SDK.md 4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Failure(StrEnum):
    """The kind decides what happens next; the remedy tells people."""

    RECONNECT = "reconnect"
    PERMISSION = "permission"
    SETUP = "setup"
    RECORD = "record"
    TRANSIENT = "transient"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"


class Who(StrEnum):
    CLIENT = "client"
    BUREAU = "bureau"
    VENDOR = "vendor"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`title` and `steps` are texts marked for translation; `{name}` in them is filled from the error's `facts`."""

    code: str
    who: Who
    title: str
    steps: tuple[str, ...] = ()
    link: str | None = None


class ConnectorError(Exception):
    """A failure with its remedy. `detail` is redacted and for staff; `retry_after` in seconds.

    `field` is the field of the form at fault. `sent` is False where nothing can have reached the vendor.
    `facts` fill the remedy's texts.
    """

    def __init__(
        self,
        failure: Failure,
        remedy: Remedy,
        field: str | None = None,
        detail: str = "",
        retry_after: float | None = None,
        *,
        sent: bool = True,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{remedy.code}: {detail or remedy.title}")
        self.failure = failure
        self.remedy = remedy
        self.field = field
        self.detail = detail
        self.retry_after = retry_after
        self.sent = sent
        self.facts = dict(facts or {})


class NotYetError(ConnectorError):
    """The call's turn under the vendor's limits has not come: nothing was sent, and nothing was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a refusal is judged by: the answer, and whether its body could be read as the vendor's own error."""

    status: int
    headers: Mapping[str, str]
    body: Any
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One row of a provider's table: the first whose conditions all hold decides. Empty conditions always hold."""

    failure: Failure
    remedy: Remedy
    statuses: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    when: Callable[[Seen], bool] | None = None
    field: str | None = None
