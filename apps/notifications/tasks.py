"""Entry points of django-q2: find, open the scope, call one action."""

from apps.core.scope import system_scope
from apps.notifications import delivery, outbox


def send(mail_id: int) -> str:
    """A late or doubled task finds nothing to claim and ends."""
    with system_scope("a mail; what it tells is read in the scope of its person"):
        return outbox.send(mail_id)


def tell(webhook_id: int) -> str:
    with system_scope("a webhook; what it tells is read in the scope of what it may see"):
        return delivery.deliver(webhook_id)
