"""Finding clients by what people call them."""

from django.core.management.base import CommandError

from apps.clients.models import Client


class ClientNotFoundError(CommandError):
    """No client, or not one alone, has the number. Exits with 2 where a command lets it pass."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


def find_client(text: str) -> Client:
    """The client called `NUMBER`, or `SLUG/NUMBER`, which it must be where two bureaus use the number.

    Raises ClientNotFoundError.
    """
    slug, _slash, number = text.strip().rpartition("/")
    found = Client.objects.filter(number=number).select_related("organisation").order_by("organisation__slug")
    if slug:
        found = found.filter(organisation__slug=slug)
    clients = list(found)
    if not clients:
        raise ClientNotFoundError(f"there is no client {text}")
    if len(clients) > 1:
        names = ", ".join(f"{client.organisation.slug}/{client.number}" for client in clients)
        raise ClientNotFoundError(f"more than one bureau has a client {number}: say which of {names}")
    client: Client = clients[0]
    return client
