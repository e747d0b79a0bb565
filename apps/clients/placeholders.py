"""Placeholders in a connector's fields, filled for each client: %ORGNR%, %CLIENTNR%, %COUNTRY%; %% is a percent."""

import re
from collections.abc import Callable

from apps.clients.models import Client

PLACEHOLDERS: dict[str, Callable[[Client], str]] = {
    "ORGNR": lambda client: client.organisation_number,
    "CLIENTNR": lambda client: client.number,
    "COUNTRY": lambda client: client.country,
}


class PlaceholderError(ValueError):
    """A placeholder that cannot be filled. `name` is the placeholder, `known` whether there is one of that name."""

    def __init__(self, name: str, *, known: bool) -> None:
        super().__init__(name)
        self.name = name
        self.known = known


def fill(text: str, client: Client) -> str:
    """The text with its placeholders filled. Raises PlaceholderError; nothing is guessed."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "":
            return "%"
        if name not in PLACEHOLDERS:
            raise PlaceholderError(name, known=False)
        found = PLACEHOLDERS[name](client)
        if not found:
            raise PlaceholderError(name, known=True)
        return found

    return re.sub(r"%([^%\s]*)%", value, text)


def has_placeholder(text: str) -> bool:
    return any(name for name in re.findall(r"%([^%\s]*)%", text))
