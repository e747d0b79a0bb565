"""Changes since the last reading: from which watermark, what was told to be deleted, and when that is not enough."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.connectors.sdk.declaration import Endpoint
from apps.connectors.sdk.queries import Page, rewound
from apps.records.enums import Resource
from apps.sync.context import Context
from apps.sync.models import Run


def changes_from(context: Context, endpoint: Endpoint) -> str | None:
    """The cursor to ask for changes from, once the window is read; None where there is nothing to ask."""
    run, feed = context.run, context.feed
    if endpoint.overlap is None or not feed.watermark or run.first_load or run.resume.get("reread"):
        return None
    return None if is_forgotten(context) else rewound(feed.watermark, endpoint.overlap)


def is_forgotten(context: Context) -> bool:
    """Whether the vendor may have forgotten deletions since the last reading: then only a whole reading shows them."""
    endpoint = context.endpoint(Resource.VOUCHERS)
    if endpoint is None or endpoint.memory is None or context.feed.watermark_at is None:
        return False
    early = endpoint.overlap or endpoint.memory * 0
    begun: datetime = context.run.started_at or timezone.now()
    return bool(begun - context.feed.watermark_at >= endpoint.memory - early)


def told(run: Run, page: Page) -> dict[str, Any]:
    """What a page says besides its records: the vendor's clock before the first one, and what was deleted."""
    kept: dict[str, Any] = {}
    if page.watermark and not run.resume.get("mark"):
        kept["mark"] = page.watermark
    gone = {one.external_id for one in page.gone if one.resource is Resource.VOUCHERS}
    if gone:
        kept["told"] = sorted(gone | set(run.resume.get("told", ())))
    return kept


def marked(run: Run) -> dict[str, Any]:
    """What a second pass of the run keeps of the first."""
    return {name: run.resume[name] for name in ("mark", "changes") if name in run.resume}


def watermark_of(run: Run) -> dict[str, Any]:
    """The feed's new watermark, where nothing before it is left unread."""
    mark = run.resume.get("mark")
    if not mark or not run.resume.get("changes"):
        return {}
    return {"watermark": mark, "watermark_at": run.started_at or timezone.now()}
