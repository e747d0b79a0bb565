"""Opens the tenant scope of whoever signed in, as far as that person sees.

Nobody signed in: no scope, and every query of ours fails.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from apps.clients.reach import scope_of
from apps.organisations.models import User


def tenant_scope(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if not isinstance(user, User) or not user.is_authenticated:
            return get_response(request)
        with scope_of(user, "signed in"), timezone.override(user.time_zone), translation.override(user.language):
            return get_response(request)

    return middleware
