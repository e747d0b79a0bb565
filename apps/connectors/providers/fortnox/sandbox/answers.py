"""Answers in the vendor's form: error bodies with both spellings of their keys, amounts, plain JSON.

Codes and messages: shared/vendors/fortnox/README.md "Errors" and the recorded answers beside it. Those marked
"unconfirmed" there, or not there at all, say so here.
"""

import json
from typing import Any

from apps.connectors.sdk.sandbox import Answer

JSON_TYPE = "application/json"
API = "https://api.fortnox.se/3"
NO_API_LICENCE = (2001103, "Api-licens saknas.")
NO_SCOPE_LICENCE = (2001101, "Det finns ingen aktiv licens för önskat scope.")
NO_SCOPE = (2000663, "Har inte behörighet för scope för begärd resurs.")  # unconfirmed: not in the README
REGISTER = 2003275
BAD_FILTER = (2000587, "Ett ogiltigt filter har använts.")
BAD_PARAMETER = (2000588, "Ogiltig parameter i anropet.")
NOT_NUMERIC = (2000108, "Värdet måste vara numeriskt.")
SERVER = (1000003, "System exception")
NO_ROUTE = (2000734, "Ogiltig resurs.")  # unconfirmed
NOT_FOUND = {  # 2000428, 2000433 and 2001161 are documented; the rest are of the same family, unconfirmed
    "articles": (2000428, "Kan inte hitta artikeln."),
    "customers": (2000433, "Kan inte hitta kunden."),
    "suppliers": (2000435, "Kan inte hitta leverantören."),
    "projects": (2001161, "Kan inte hitta projektet."),
    "costcenters": (2001160, "Kan inte hitta kostnadsstället."),
    "accounts": (2000430, "Kan inte hitta kontot."),
    "vouchers": (2000431, "Kan inte hitta verifikationen."),
    "voucherseries": (2000432, "Kan inte hitta verifikationsserien."),
    "financialyears": (2000429, "Kan inte hitta räkenskapsåret."),
    "currencies": (2000436, "Kan inte hitta valutan."),
}
REGISTERS = {  # what a right is told by
    "suppliers": "leverantörsregister",
    "customers": "kundregister",
    "articles": "artikelregister",
    "projects": "projektregister",
    "costcenters": "kostnadsställeregister",
    "accounts": "kontoplan",
    "vouchers": "bokföring",
    "voucherseries": "bokföring",
    "financialyears": "bokföring",
    "sie": "bokföring",
    "settings": "inställningar",
    "currencies": "valutor",
}


class Refused(Exception):
    """An error answer on its way out. `lower`: the spelling recorded for this kind of answer."""

    def __init__(self, status: int, code: int, message: str, *, lower: bool = False) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.lower = status, code, message, lower

    def answer(self, case: str = "") -> Answer:
        """`case`: "upper" or "lower" for all answers, else as recorded for this kind."""
        lower = self.lower if case not in ("upper", "lower") else case == "lower"
        names = ("error", "message", "code") if lower else ("Error", "Message", "Code")
        values = (1, self.message, self.code)
        return answer({"ErrorInformation": dict(zip(names, values, strict=True))}, self.status)


class Unauthorized(Exception):
    """The gateway's own answer to a token that does not hold: no ErrorInformation."""

    def answer(self) -> Answer:
        return answer({"message": "unauthorized"}, 401)


def not_found(resource: str) -> Refused:
    return Refused(404, *NOT_FOUND.get(resource, NO_ROUTE))


def no_right(resource: str) -> Refused:
    return Refused(403, REGISTER, f"Saknar behörighet för {REGISTERS.get(resource, resource)}.")


def bad_filter() -> Refused:
    return Refused(400, *BAD_FILTER, lower=True)


def bad_parameter() -> Refused:
    return Refused(400, *BAD_PARAMETER, lower=True)


def not_numeric() -> Refused:
    return Refused(400, *NOT_NUMERIC)


def money(hundredths: int) -> int | float:
    """Kronor as the vendor writes them: 100 and 99.5."""
    whole, rest = divmod(hundredths, 100)
    return hundredths / 100 if rest else whole


def loose(value: Any, name: str = "") -> Any:
    """Numbers and booleans as texts, as several resources have them; keys that count pages stay numbers."""
    if isinstance(value, dict):
        return {key: loose(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [loose(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and not name.startswith("@"):
        return str(value)
    return value


def answer(value: Any, status: int = 200) -> Answer:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, headers={"Content-Type": JSON_TYPE}, body=body)
