"""How long raw data of calls is kept. That there was a call stays longer: a voucher's proof names it."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.connectors.models import ConsentState, Exchange, ExchangePayload
from apps.core.retention import Rule


def _contents(before: datetime) -> QuerySet[Exchange]:
    return Exchange.objects.filter(at__lt=before, url__isnull=False)


def _empty(rows: QuerySet[Any]) -> int:
    return Exchange.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(
        url=None, request=None, error=None, payload=None
    )


def _payloads(before: datetime) -> QuerySet[ExchangePayload]:
    """Whoever is about to name one has written `kept_at` before, and sees here whether it has gone."""
    named = Exchange.objects.filter(payload=OuterRef("pk"))
    return ExchangePayload.objects.filter(~Exists(named), kept_at__lt=before)


def _consents(before: datetime) -> QuerySet[ConsentState]:
    return ConsentState.objects.filter(Q(used_at__isnull=False) | Q(made_at__lt=before))


RULES = (
    Rule(name="exchange contents", days=lambda: settings.KONTOR_PAYLOAD_DAYS, over=_contents, remove=_empty),
    Rule(name="payloads", days=lambda: settings.KONTOR_PAYLOAD_DAYS, over=_payloads),
    Rule(name="exchanges", days=lambda: settings.KONTOR_EXCHANGE_DAYS, over=lambda at: Exchange.objects.filter(at__lt=at)),
    Rule(name="begun consents", days=lambda: 1, over=_consents),
)  # fmt: skip
