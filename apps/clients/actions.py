"""Writes of clients: keyword-only, one transaction each, audit line inside."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.audit.actions import note
from apps.clients.imports import Judged
from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.organisations.models import Organisation


class NumberTakenError(Exception):
    """Somebody else made a client of this number or company meanwhile: look again."""


class ChangedMeanwhileError(Exception):
    """The client is not what it was when the file was checked; `field` says where."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def make_client(
    *, organisation: Organisation, judged: Judged, name: str, first_number: int, kept: Collection[str], actor: Any
) -> Client:
    """A new client; without a number it gets the next free one that is not `kept` for others.

    Raises NumberTakenError; call inside a transaction.
    """
    asked = judged.wanted
    number = asked.number or free_number(organisation, first_number, kept)
    client = Client(
        organisation=organisation, number=number, name=name, country=asked.country, time_zone=asked.time_zone,
        organisation_number=asked.organisation_number, responsible_id=judged.responsible_id,
    )  # fmt: skip
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError as error:
        raise NumberTakenError(number) from error
    note(organisation_id=organisation.pk, actor=actor, action="client.added", subject=client)
    return client


def free_number(organisation: Organisation, first: int, kept: Collection[str]) -> str:
    """The next number after the highest one there is, not below `first`, and not one that is `kept` for others."""
    with system_scope("clients that the reader does not see have numbers, too"):
        numbers = list(Client.objects.filter(organisation=organisation).values_list("number", flat=True))
    highest = max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=1000)
    number = max(highest + 1, first)
    while str(number) in kept:
        number += 1
    return str(number)


def change_client(*, client: Client, changes: dict[str, list[str]], responsible_id: int | None, actor: Any) -> None:
    """Change what a file was shown to change. Raises ChangedMeanwhileError; call inside a transaction."""
    row = Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    for name, (before, after) in changes.items():
        held = row.responsible.email.lower() if name == "responsible" and row.responsible else getattr(row, name) or ""
        if held != before:
            raise ChangedMeanwhileError(name)
        if name == "responsible":
            row.responsible_id = responsible_id
        else:
            setattr(row, name, after)
    row.save(update_fields=list(changes))
    note(
        organisation_id=row.organisation_id,
        actor=actor,
        action="client.changed",
        subject=row,
        details={"fields": sorted(changes), "changes": changes},
    )


def name_client(*, client: Client, name: str, actor: Any) -> None:
    """Give a client that was made without a name the one its company has."""
    row = Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    row.name = name.strip()[:160]
    if not row.name:
        raise ValidationError("a name is needed")
    row.save(update_fields=["name"])
    note(
        organisation_id=row.organisation_id, actor=actor, action="client.changed", subject=row,
        details={"fields": ["name"]},
    )  # fmt: skip
