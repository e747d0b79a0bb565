"""Tenant scope: which organisations the running code may see. Outside a scope a query of ours fails.

Every model of ours has `TENANT_PATH`, the look-up from its row to its organisation, and `objects = ScopedManager()`.
A person sees less than an organisation: `Reach` says which clients, and which of their books.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class NoScopeError(RuntimeError):
    """A query of ours outside any tenant scope: a programming error, and never an answer with everybody's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one person sees inside the organisations of the scope; all of them are ids.

    Of the organisations in `whole` every client but `hidden`; of the others the clients in `named` only. The books of
    `closed` clients are seen by nobody. `years`: of these clients only fiscal years that end in (first, last).
    `nameless`: people who are known to the person by their e-mail address only.
    """

    whole: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()
    named: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    years: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    nameless: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """`organisations` None means all of them: system work, and superusers. `reach` None: no person's view."""

    organisations: frozenset[int] | None
    reason: str
    reach: Reach | None = None


_current: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)


def current_scope() -> Scope | None:
    return _current.get()


@contextmanager
def organisation_scope(organisations: Collection[int], reason: str = "") -> Iterator[None]:
    """Only these organisations are seen inside; never more than an enclosing narrower scope allows."""
    wanted = frozenset(organisations)
    outer = _current.get()
    if outer is not None and outer.organisations is not None:
        wanted &= outer.organisations
    token = _current.set(Scope(wanted, reason, outer.reach if outer is not None else None))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def reader_scope(organisations: Collection[int] | None, reach: Reach, reason: str) -> Iterator[None]:
    """What one person sees: of these organisations (None: of all) what `reach` says."""
    wanted = None if organisations is None else frozenset(organisations)
    token = _current.set(Scope(wanted, reason, reach))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def system_scope(reason: str) -> Iterator[None]:
    """Everything is seen inside. `reason` says why, for the reader of the code and of an error."""
    token = _current.set(Scope(None, reason))
    try:
        yield
    finally:
        _current.reset(token)


class ScopedManager(models.Manager[M]):
    """The default manager of every model of ours."""

    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[M]:
        scope = _current.get()
        if scope is None:
            raise NoScopeError(f"{self.model.__name__} was queried outside a tenant scope")
        found = super().get_queryset()
        if scope.organisations is not None:
            found = found.filter(_at(self.model, self.model.TENANT_PATH, scope.organisations))  # type: ignore[attr-defined]
        if scope.reach is not None:
            found = found.filter(_reached(self.model, scope.organisations, scope.reach))
        return found


def _at(model: type[models.Model], path: str, ids: Collection[int]) -> models.Q:
    """The rows whose `path` ends at one of the ids, without a join.

    With a join, an UPDATE becomes `WHERE id IN (SELECT ...)`, and PostgreSQL does not look at the conditions in there
    again after it has waited for a row: two compare-and-sets would both win.
    """
    step, _, rest = path.partition("__")
    if not rest:
        return models.Q((f"{path}__in", ids))
    owner = model._meta.get_field(step).related_model
    inside = owner._base_manager.filter(**{f"{rest}__in": ids})  # type: ignore[union-attr]
    return models.Q((f"{step}__in", inside.values("pk")))


def _reached(model: type[models.Model], organisations: frozenset[int] | None, reach: Reach) -> models.Q:
    path = client_path(model)
    if path is None:
        return models.Q()
    found = models.Q() if organisations is None else _clients(model, path, organisations, reach)
    books = model.BOOKS  # type: ignore[attr-defined]
    if books and reach.closed:
        closed = _at(model, path, reach.closed)
        found &= ~(closed & books if isinstance(books, models.Q) else closed)
    year = model.YEAR_PATH  # type: ignore[attr-defined]
    if year and reach.years:
        within = ~_at(model, path, frozenset(reach.years))
        for client, between in reach.years.items():
            within |= _at(model, path, [client]) & models.Q((f"{year}__year__range", between))
        found &= within
    return found


def _clients(model: type[models.Model], path: str, organisations: frozenset[int], reach: Reach) -> models.Q:
    unhidden = ~_at(model, path, reach.hidden) if reach.hidden else models.Q()
    if organisations <= reach.whole:
        return unhidden
    found = _at(model, path, reach.named)
    if reach.whole:
        found |= _at(model, model.TENANT_PATH, reach.whole) & unhidden  # type: ignore[attr-defined]
    if model.OF_THE_BUREAU:  # type: ignore[attr-defined]
        found |= models.Q((f"{path}__isnull", True))
    return found


@cache
def client_path(model: type[models.Model]) -> str | None:
    """The look-up from a row to its client; None for rows of the bureau as a whole."""
    told: str | None = getattr(model, "CLIENT_PATH", None)
    if told:
        return told
    steps = str(getattr(model, "TENANT_PATH", "")).split("__")
    reached: Any = model
    for number, step in enumerate(steps[:-1], start=1):
        reached = reached._meta.get_field(step).related_model
        if reached._meta.label == "clients.Client":
            return "__".join(steps[:number])
    return None


def client_of(row: models.Model) -> int | None:
    """The id of the client that a row belongs to; None where it is the bureau's."""
    path = client_path(type(row))
    found: Any = row
    *steps, last = path.split("__") if path else [""]
    for step in steps:
        found = getattr(found, step) if found is not None else None
    if not last or found is None:
        return None
    name = last if last == "pk" or last.endswith("_id") else f"{last}_id"
    held: int | None = getattr(found, name)
    return held


def organisation_of(row: models.Model) -> int | None:
    """The id of the organisation that a row belongs to, by its model's TENANT_PATH."""
    found: Any = row
    steps = type(row).TENANT_PATH.split("__")  # type: ignore[attr-defined]
    for step in steps[:-1]:
        found = getattr(found, step)
    last = steps[-1]
    name = last if last == "pk" or last.endswith("_id") else f"{last}_id"
    return None if found is None else getattr(found, name)


class TenantModel(models.Model):
    """Base of every row that belongs to an organisation.

    `CLIENT_PATH`: the look-up to the client, where TENANT_PATH does not lead over it. `OF_THE_BUREAU`: rows without a
    client are seen by all people of the bureau. `BOOKS`: figures that were read, hidden while the client's organisation
    number is in doubt (a Q where only some rows are). `YEAR_PATH`: the last day of the fiscal year a row belongs to.
    """

    TENANT_PATH: ClassVar[str] = "organisation"
    CLIENT_PATH: ClassVar[str | None] = None
    OF_THE_BUREAU: ClassVar[bool] = False
    BOOKS: ClassVar[bool | models.Q] = False
    YEAR_PATH: ClassVar[str | None] = None

    objects = ScopedManager()

    class Meta:
        abstract = True

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """Against all rows: one that the reader may not see is in the way all the same."""
        with system_scope("what the database will compare"):
            super().validate_unique(exclude)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        with system_scope("what the database will compare"):
            super().validate_constraints(exclude)
