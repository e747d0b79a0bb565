"""Throttling of the sign-in (django-axes): counted per e-mail address and place, the same for unknown addresses.

A place alone has a limit too, a higher one: people of one office share an address, but nobody tries all accounts.
"""

import ipaddress
import logging
import math
import unicodedata
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.requests import client_address

log = logging.getLogger(__name__)
LONGEST = 255
NETWORK_BITS = 64  # what one line is given of IPv6: whoever has it has every address in it


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The e-mail address as the database compares it: another spelling of it is no further chance."""
    given = (credentials or {}).get("username") or request.POST.get("username") or ""
    return unicodedata.normalize("NFKC", str(given)).strip().casefold().replace("\0", "")[:LONGEST]


def counted_place(request: HttpRequest) -> str | None:
    """Where wrong passwords are counted: the address, of IPv6 the first address of its /64."""
    seen = client_address(request)
    address = ipaddress.ip_address(seen) if seen else None
    if not isinstance(address, ipaddress.IPv6Address):
        return seen
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    host_bits = address.max_prefixlen - NETWORK_BITS
    return str(ipaddress.IPv6Address(int(address) >> host_bits << host_bits))


class Counting(AxesDatabaseHandler):
    """Axes has one limit; that of the place is looked at here, and counts as the other one when it is reached."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        of_person: int = super().get_failures(request, credentials)
        closed = _failures(_attempts(request)) >= settings.KONTOR_LOGIN_FAILURES_ADDRESS
        return max(of_person, settings.KONTOR_LOGIN_FAILURES) if closed else of_person


def _attempts(request: HttpRequest) -> QuerySet[AccessAttempt]:
    """The wrong passwords from this place that still count, the latest first."""
    since = timezone.now() - get_cool_off(request)
    found: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(
        ip_address=counted_place(request), attempt_time__gte=since
    )
    return found


def _failures(attempts: QuerySet[AccessAttempt]) -> int:
    return attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


def locked_out(request: HttpRequest, _response: Any, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page after too many wrong passwords: until when, and what to do."""
    wait = get_cool_off(request)
    here = _attempts(request)
    of_person = here.filter(username=counted_name(request, credentials))
    last = (of_person if _failures(of_person) >= settings.KONTOR_LOGIN_FAILURES else here).first()
    until = (last.attempt_time if last else timezone.now()) + wait
    seconds = max(1, math.ceil((until - timezone.now()).total_seconds()))
    log.warning(
        "sign-in closed for %s seconds after too many wrong passwords, from %s", seconds, client_address(request)
    )
    context = {
        **admin.site.each_context(request),
        "title": _("Sign-in is closed for a while"),
        "until": until,
        "minutes": math.ceil(seconds / 60),
    }
    response = TemplateResponse(request, "organisations/locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    response.headers["Cache-Control"] = "no-store"
    return response.render()
