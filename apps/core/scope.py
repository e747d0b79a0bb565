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
        path: str = self.model.TENANT_PATH  # type: ignore[attr-defined]
        return found.filter(**{f"{path}__in": scope.organisations})


class TenantModel(models.Model):
    """Base of every row that belongs to an organisation."""

    TENANT_PATH = "organisation"

    objects = ScopedManager()

    class Meta:
        abstract = True
