"""Throttling of the sign-in (django-axes): counted per e-mail address and place, the same for unknown addresses."""

import logging
import math
import unicodedata
from typing import Any

from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.requests import client_address

log = logging.getLogger(__name__)
LONGEST = 255


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The e-mail address as the database compares it: another spelling of it is no further chance."""
    given = (credentials or {}).get("username") or request.POST.get("username") or ""
    return unicodedata.normalize("NFKC", str(given)).strip().casefold().replace("\0", "")[:LONGEST]


def locked_out(request: HttpRequest, _response: Any, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page after too many wrong passwords: until when, and what to do."""
    place = client_address(request)
    last = AccessAttempt.objects.filter(username=counted_name(request, credentials), ip_address=place).first()
    wait = get_cool_off(request)
    until = (last.attempt_time if last else timezone.now()) + wait
    seconds = max(1, math.ceil((until - timezone.now()).total_seconds()))
    log.warning("sign-in closed for %s seconds after too many wrong passwords, from %s", seconds, place)
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
