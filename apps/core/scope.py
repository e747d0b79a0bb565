"""Tenant scope: which organisations the running code may see. Outside a scope a query of ours fails.

Every model of ours has `TENANT_PATH`, the look-up from its row to its organisation, and `objects = ScopedManager()`.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class NoScopeError(RuntimeError):
    """A query of ours outside any tenant scope: a programming error, and never an answer with everybody's rows."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`organisations` None means all of them: system work, and superusers."""

    organisations: frozenset[int] | None
    reason: str


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
    token = _current.set(Scope(wanted, reason))
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
        if scope.organisations is None:
            return found
        return found.filter(_within(self.model, scope.organisations))


def _within(model: type[models.Model], organisations: frozenset[int]) -> models.Q:
    """The rows of these organisations, without a join.

    With a join, an UPDATE becomes `WHERE id IN (SELECT ...)`, and PostgreSQL does not look at the conditions in there
    again after it has waited for a row: two compare-and-sets would both win.
    """
    path: str = model.TENANT_PATH  # type: ignore[attr-defined]
    step, _, rest = path.partition("__")
    if not rest:
        return models.Q((f"{path}__in", organisations))
    owner = model._meta.get_field(step).related_model
    inside = owner._base_manager.filter(**{f"{rest}__in": organisations})  # type: ignore[union-attr]
    return models.Q((f"{step}__in", inside.values("pk")))


class TenantModel(models.Model):
    """Base of every row that belongs to an organisation."""

    TENANT_PATH = "organisation"

    objects = ScopedManager()

    class Meta:
        abstract = True
