"""Watches the form of a connection's answers: what was always there and is no more is named the same night."""

import logging
from dataclasses import asdict
from typing import Any

from django.db import DatabaseError, transaction
from django.utils.translation import gettext_noop as _

from apps.audit.actions import note
from apps.connectors.models import Connection, PayloadShape
from apps.connectors.registry import label_of
from apps.connectors.sdk.failures import Failure, Who
from apps.connectors.sdk.shapes import Shape, from_json
from apps.core.scope import system_scope
from apps.notifications.actions import Trouble, raise_problem, resolve_problems

log = logging.getLogger(__name__)

MOST_PLACES = 80  # of a connection: where a vendor puts ids into its addresses in a way that is not known
ENOUGH_OBJECTS = 300  # of a place in one session
SHAPE_CHANGED = "connector.shape_changed"


class ShapeWatch:
    """Of one session. What it saw is kept at the end, once; nothing of a value is."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.seen: dict[str, Shape] = {}
        self.objects: dict[str, int] = {}

    def saw(self, place: str, data: Any) -> None:
        place = place[:300]
        shape = self.seen.get(place)
        if shape is None:
            if len(self.seen) >= MOST_PLACES:
                return
            shape = self.seen[place] = Shape()
        if self.objects.get(place, 0) < ENOUGH_OBJECTS:  # counted so: a night begins with many empty pages
            shape.add(data)
            self.objects[place] = sum(shape.objects.values())

    def keep(self) -> None:
        """A night does not fail for it."""
        seen, self.seen = self.seen, {}
        self.objects = {}
        try:
            with system_scope("the answers of this session's connection"), transaction.atomic():
                keep_shapes(self.connection, seen)
        except DatabaseError:
            log.exception("the form of answers of connection %s was not kept", self.connection.pk)


def keep_shapes(connection: Connection, seen: dict[str, Shape]) -> None:
    """Compare with what is known; a change is a problem until it is over, or accepted."""
    rows = {row.place: row for row in PayloadShape.objects.filter(connection=connection)}
    for place, shape in seen.items():
        row = rows.get(place)
        if row is None:
            if len(rows) < MOST_PLACES:
                rows[place] = PayloadShape(connection=connection, place=place, known=shape.as_json())
                PayloadShape.objects.bulk_create([rows[place]], ignore_conflicts=True)
            continue
        known = from_json(row.known)
        changes = known.changes(shape)
        if changes:  # what was known stays, to be compared with
            row.changes = [asdict(change) for change in changes]
            row.save(update_fields=["changes", "seen_at"])
            told = raise_problem(client=connection.client, subject=row, trouble=_trouble(connection, row))
            log.warning("%s: %s", place, told.facts["changes"])
        elif known.take(shape) or row.changes:
            if row.changes:
                resolve_problems(subject=row)
            row.known, row.changes = known.as_json(), []
            row.save()


def accept_shapes(connection: Connection, *, actor: Any) -> int:
    """What the vendor answers now is how it is from now on: it is learnt anew. Returns how many places that were."""
    changed = [row for row in PayloadShape.objects.filter(connection=connection) if row.changes]
    with transaction.atomic():
        for row in changed:
            note(
                organisation_id=connection.client.organisation_id,
                actor=actor,
                action="connection.form_accepted",
                subject=connection,
                details={"place": row.place, "changes": row.changes},
            )
            resolve_problems(subject=row)
            row.delete()
    return len(changed)


def words(change: dict[str, str]) -> str:
    """A change in the fewest words, in the language of the code: names of fields, mostly."""
    if change["kind"] == "retyped":
        return f"{change['field']}: {change['was']} -> {change['now']}"
    return f"{change['field']} -> {change['now']}?" if change["now"] else f"{change['field']}: –"


def _trouble(connection: Connection, row: PayloadShape) -> Trouble:
    return Trouble(
        code=SHAPE_CHANGED,
        failure=Failure.UNKNOWN.value,
        who=Who.SUPPORT.value,
        title=_("{vendor} answers {place} in another form than before: {changes}."),
        steps=(
            _("Check the figures of the last night: fields that are gone or changed may be missing in them."),
            _("Send the reference to support. If the change is known, accept it on the connection's page."),
        ),
        facts={
            "vendor": label_of(connection.connector.provider),
            "place": row.address,
            "changes": "; ".join(words(change) for change in row.changes)[:1000],
        },
    )
