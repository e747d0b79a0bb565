"""Answers in the vendor's form: envelopes, error bodies, amounts."""

import json
import re
from typing import Any

from apps.connectors.sdk.sandbox import Answer

LINK = "https://tripletex.no/v2-docs/"
JSON_TYPE = "application/json;charset=utf-8"
NULL = "Kan ikke være null."
WRONG_TYPE = "Verdien er ikke av korrekt type for dette feltet."
NO_PERMISSION = "You do not have permission to access this feature."
BUREAU_KEY = (
    "Company owned users(employeeToken) can only access /token/session/>whoAmI & /company/>withLoginAccess"
    " in their own company."
)
MARK = "\u0001"  # an amount travels through json.dumps as a marked text and comes out as a number with its digits
_MARKED = re.compile(r'"\\u0001(-?[0-9.]+)"')


class Refused(Exception):
    """An error answer on its way out."""

    def __init__(
        self, status: int, code: int, message: str, *, developer: str | None = None, fields: Any = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.developer, self.fields = status, code, message, developer, fields

    def answer(self, request_id: str) -> Answer:
        body = {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "link": LINK,
            "developerMessage": self.developer,
            "validationMessages": self.fields,
            "requestId": request_id,
        }
        return answer(body, self.status)


def unauthorized() -> Refused:
    text = "Could not log in. Check login info in Authorization header."
    return Refused(401, 3000, "Unauthorized", developer=text)


def forbidden(message: str = NO_PERMISSION) -> Refused:
    return Refused(403, 9000, message)


def not_found() -> Refused:
    return Refused(404, 6000, "Object not found")


def bad_param() -> Refused:
    """A query value that the vendor's framework cannot read, as recorded for a wrong enum value."""
    return Refused(404, 21000, "HTTP 404 Not Found")


def field_message(field: str, message: str, path: str | None = None) -> dict[str, Any]:
    return {"field": field, "message": message, "path": path, "rootId": None}


def missing(*names: str) -> Refused:
    return Refused(422, 15000, "Validation failed", fields=[field_message(name, NULL) for name in names])


def invalid(*messages: dict[str, Any], developer: str | None = "VALIDATION_ERROR") -> Refused:
    return Refused(422, 18000, "Validering feilet.", developer=developer, fields=list(messages))


def money(hundredths: int) -> str:
    """Marked for `dump`. The vendor mixes 33485.00 and 33485; here every other whole amount is written short."""
    whole, cents = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    if cents == 0 and whole % 2 == 0:
        return f"{MARK}{sign}{whole}"
    return f"{MARK}{sign}{whole}.{cents:02d}"


def dump(value: Any) -> bytes:
    return _MARKED.sub(r"\1", json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status=status, headers={"Content-Type": JSON_TYPE}, body=dump(value))


def single(value: Any, status: int = 200) -> Answer:
    return answer({"value": value}, status)


def nothing() -> Answer:
    return Answer(status=204)
