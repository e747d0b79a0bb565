"""What stands between a session and the pages: its end, and the second factor."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.organisations.actions import met
from apps.organisations.models import User
from apps.organisations.second_factor import factor_of

BEGAN, SEEN = "kontor_began", "kontor_seen"
SEEN_EVERY = 60  # seconds: the session is not written on each request
WITHOUT_FACTOR = frozenset({"admin:login", "admin:logout", "people:factor_enter", "people:factor"})

GetResponse = Callable[[HttpRequest], HttpResponse]


def signed_in(user: User, **_kwargs: Any) -> None:
    """With Django's signal."""
    met(user)


def begin_session(request: HttpRequest, **_kwargs: Any) -> None:
    """With Django's signal that somebody signed in, so that the first page writes no session."""
    request.session[BEGAN] = request.session[SEEN] = time.time()


def session_end(get_response: GetResponse) -> GetResponse:
    """Ends a session that is old (KONTOR_SESSION_SECONDS) or was not used for a while (KONTOR_IDLE_SECONDS)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return get_response(request)
        now = time.time()
        began, seen = request.session.get(BEGAN), request.session.get(SEEN)
        if began is None or seen is None:
            begin_session(request)
        elif now - began > settings.KONTOR_SESSION_SECONDS or now - seen > settings.KONTOR_IDLE_SECONDS:
            logout(request)
            messages.info(request, _("You were signed out after a while. Please sign in again."))
            return redirect_to_login(request.get_full_path() if request.method == "GET" else "", reverse("admin:login"))
        elif now - seen > SEEN_EVERY:
            request.session[SEEN] = now
        return get_response(request)

    return middleware


class SecondFactorGate:
    """Who has a second factor enters it before anything else; staff who must have one, and have none, set it up."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        user: Any = request.user
        where = request.resolver_match.view_name if request.resolver_match else ""
        if not user.is_authenticated or where in WITHOUT_FACTOR or user.is_verified():
            return None
        if factor_of(user) is not None:
            page = "people:factor_enter"
        elif settings.KONTOR_TWO_FACTOR and user.is_staff:
            page = "people:factor"
        else:
            return None
        onward = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
        return redirect(f"{reverse(page)}?{onward}" if onward else reverse(page))
