"""What is known of every request: its id, the address it came from, and the numbers that stand in it."""

import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
MOST_FIGURES = 18  # what every database takes for a key
WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


def request_ids(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Takes the id from the request where it is well-formed, else makes one; gives it back in the answer.

    django-structlog, which comes after, takes it from the header as it then stands.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        found = given if WELL_FORMED.fullmatch(given) else str(uuid.uuid4())
        request.META["HTTP_X_REQUEST_ID"] = found
        request.__dict__.pop("headers", None)  # cached by the look above
        response = get_response(request)
        response.headers[HEADER] = found
        return response

    return middleware


def request_id(request: Any) -> str:
    """The id of a request that came through `request_ids`."""
    found: str = request.META.get("HTTP_X_REQUEST_ID", "")
    return found


def number_in(text: str) -> int | None:
    """The number that an address or a form names, None for anything else: figures that `int` refuses, or too many."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_FIGURES else None


def client_address(request: HttpRequest) -> str | None:
    """Where the request came from, as far as that can be known.

    `KONTOR_PROXIES` proxies of the operator each add the address they saw to the right of X-Forwarded-For; what stands
    further left was written by whoever asked, and is not believed.
    """
    seen: str = request.META.get("REMOTE_ADDR", "")
    if settings.KONTOR_PROXIES:
        told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(told) >= settings.KONTOR_PROXIES:
            seen = told[-settings.KONTOR_PROXIES]
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return None
