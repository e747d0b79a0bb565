"""A ledger file taken in beside the client's feeds: whose days they are, and who has them afterwards."""

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import note
from apps.clients.models import Client
from apps.connectors.actions import BOOKS_HIDDEN
from apps.core.scope import system_scope
from apps.core.uploads import UploadRefusedError, file_of
from apps.flows.models import Feed
from apps.formats.sie import MAX_BYTES, SieFile, read_sie
from apps.ledger.files import FileRefusedError, Outcome, Owner, import_file


def import_ledger_file(
    *, client: Client, name: str, data: bytes, actor: Any, replace: bool = False, largest: int = MAX_BYTES
) -> Outcome:
    """Take the file in. Days that a feed owns are refused, or with `replace` taken from it.

    A ZIP archive with one file in it is opened. Raises SieError and FileRefusedError, and then nothing was written.
    """
    refuse_hidden(client)
    try:
        name, data = file_of(name, data, largest=largest)
    except UploadRefusedError as error:
        raise FileRefusedError(error.code, str(error)) from error
    file = read_sie(data)  # before anything is locked: others write meanwhile
    # What the reader may not see (other years, hidden books) is in the books all the same, and counts.
    with system_scope("a file meets the client's whole books"), transaction.atomic():
        locked = Client.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=client.pk)
        refuse_hidden(locked)
        return _taken_in(locked, name, data, file, actor, replace=replace)


def refuse_hidden(client: Client) -> None:
    """One rule for every way in: no file while it is not known whose the books are."""
    if client.hidden_at is not None:
        text = _(
            "The books of %(client)s are hidden: its organisation number was changed, and a manager has not released"
            " what was read yet."
        )
        raise FileRefusedError(BOOKS_HIDDEN, text % {"client": client})


def _taken_in(client: Client, name: str, data: bytes, file: SieFile, actor: Any, *, replace: bool) -> Outcome:
    feeds = list(Feed.objects.filter(client=client).select_related("connection"))
    owners = [Owner(str(feed), _first(feed), feed.valid_to) for feed in feeds]
    outcome = import_file(client=client, name=name, data=data, actor=actor, replace=replace, owners=owners, file=file)
    for feed, owner in zip(feeds, owners, strict=True):
        if outcome.period and owner.owns(*outcome.period):
            _take_over(feed, *outcome.period, actor=actor)
    return outcome


def _first(feed: Feed) -> date | None:
    """The first day that the feed owns: what it is told not to read belongs to nobody yet."""
    starts = [day for day in (feed.valid_from, feed.history_from) if day]
    return max(starts, default=None)


def _take_over(feed: Feed, first: date, last: date, *, actor: Any) -> None:
    """The feed goes on after the file, or ends before it where it has no days after."""
    start = _first(feed)
    before = {"valid_from": str(feed.valid_from), "valid_to": str(feed.valid_to)}
    if feed.valid_to is None or feed.valid_to > last:
        if start is not None and start < first:
            text = _("%(feed)s has days before and after the file; it can give up only the earlier or the later ones.")
            raise FileRefusedError("file.splits_feed", text % {"feed": feed})
        feed.valid_from = last + timedelta(days=1)
    else:
        feed.valid_to = first - timedelta(days=1)
    feed.save(update_fields=["valid_from", "valid_to"])
    note(
        organisation_id=feed.client.organisation_id,
        actor=actor,
        action="feed.days_taken_over",
        subject=feed,
        details={**before, "file_from": str(first), "file_to": str(last)},
    )
