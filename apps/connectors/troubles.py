"""From a provider's failure to what people are told."""

from apps.connectors.sdk.failures import ConnectorError
from apps.notifications.actions import Trouble


def trouble_of(error: ConnectorError) -> Trouble:
    remedy = error.remedy
    return Trouble(
        code=remedy.code,
        failure=error.failure.value,
        who=remedy.who.value,
        title=remedy.title,
        steps=remedy.steps,
        link=remedy.link or "",
        facts=dict(error.facts),
        field=error.field or "",
        detail=error.detail,
    )
