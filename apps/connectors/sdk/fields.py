"""The fields of a provider's form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Values = Mapping[str, str]


class FieldScope(StrEnum):
    """Who fills a field in: whoever makes the connector, per connection, or the operator of this Kontor.

    A connection's fields are asked for with a client's own connector; where clients share one, for each client.
    """

    CONNECTOR = "connector"
    CONNECTION = "connection"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the form. `pattern` must match the whole value; `templated` fields may hold placeholders."""

    name: str
    label: str
    help: str = ""
    pattern: str | None = None
    example: str = ""
    secret: bool = False
    required: bool = True
    templated: bool = False
    scope: FieldScope = FieldScope.CONNECTOR

    def fits(self, value: str) -> bool:
        return self.pattern is None or re.fullmatch(self.pattern, value) is not None
