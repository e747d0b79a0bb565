"""Words, figures and states in templates; the functions themselves stand beside the admin.

Imported inside the functions: Unfold loads every tag library while it is being imported itself.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString

from apps.ledger.periods import text_of

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: Any, right: str) -> bool:
    """Whether the reader has the right in any bureau of theirs."""
    return bool(context["request"].user.may(right))


@register.simple_tag
def badge(colour: str, word: Any, icon: str = "") -> SafeString:
    from apps.core.admin import badge as shown

    return shown(colour, word, icon=icon)


@register.filter
def money(amount: Decimal | None) -> str:
    from apps.core.admin import amount_text

    return amount_text(amount)


@register.filter
def number(value: int | None) -> str:
    from apps.core.admin import NONE, number_text

    return NONE if value is None else number_text(value)


@register.filter
def ago(at: datetime | None) -> str | SafeString:
    from apps.core.admin import ago as shown

    return shown(at)


@register.filter
def day(value: date | None) -> str:
    from apps.core.admin import day_text

    return day_text(value)


@register.filter
def full_day(value: date | None) -> str:
    from apps.core.admin import day_text

    return day_text(value, year=True)


@register.filter
def period(value: int | None) -> str:
    return text_of(value) if value else "–"


@register.filter
def facts(values: dict[str, Any]) -> str:
    from apps.ledger.admin.evidence import facts_text

    return facts_text(values)


@register.filter
def connection_state(connection: Any) -> SafeString:
    from apps.connectors.admin import connection_badge

    return connection_badge(connection)


@register.filter
def run_state(run: Any) -> SafeString:
    from apps.sync.admin.runs import run_badge

    return run_badge(run)


@register.simple_tag
def before(version: Any) -> Any:
    from apps.ledger.admin.versions import side

    return side(version.before, version.after)


@register.simple_tag
def after(version: Any) -> Any:
    from apps.ledger.admin.versions import side

    return side(version.after, version.before)


@register.inclusion_tag("office/home.html", takes_context=True)
def office_home(context: Any) -> dict[str, Any]:
    from apps.office.pages import home

    request = context["request"]
    return {**home(request.user), "csrf_token": context.get("csrf_token"), "request": request}
