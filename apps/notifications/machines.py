"""What sees chosen clients and is no person: API tokens and webhooks. Who keeps them is not known of a single one."""

from django.db import transaction

from apps.audit.actions import note
from apps.clients.access import set_restricted
from apps.clients.models import ApiToken, Client
from apps.notifications.models import Webhook
from apps.organisations.models import User

Machine = ApiToken | Webhook


def machines_naming(client: Client) -> list[Machine]:
    """Those that do something still."""
    tokens = ApiToken.objects.filter(clients=client, revoked_at=None)
    return [*tokens, *Webhook.objects.filter(clients=client)]


def restrict(*, client: Client, restricted: bool, actor: User) -> list[Machine]:
    """Restrict the client to named people, or lift that; which machines it was taken off.

    Who made them may be among those who no longer see the client, so that a named person has to add it again.
    """
    with transaction.atomic():
        if not set_restricted(client=client, restricted=restricted, actor=actor) or not restricted:
            return []
        dropped = machines_naming(client)
        for machine in dropped:
            machine.clients.remove(client)
            action = f"{machine._meta.model_name}.clients_dropped"
            note(
                organisation_id=client.organisation_id, actor=actor, action=action, subject=machine,
                details={"clients": 1},
            )  # fmt: skip
    return dropped
