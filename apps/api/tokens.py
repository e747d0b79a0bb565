"""Sign-in of machines: `Authorization: Bearer kontor_...`. The token opens the scope of its bureau and no other."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.clients.models import ApiToken, Client, token_digest
from apps.core.scope import organisation_scope, system_scope

SCHEME = "bearer"
PREFIX = "kontor_"


@dataclass(frozen=True, slots=True)
class Machine:
    """Whoever holds the token; `user` of a request."""

    token: ApiToken
    is_authenticated: bool = True

    @property
    def pk(self) -> str:
        return f"token-{self.token.pk}"  # what throttling counts by

    @contextmanager
    def scope(self) -> Iterator[None]:
        """The token's organisation, with its time zone and language."""
        organisation = self.token.organisation
        scope = organisation_scope({organisation.pk}, "API token")
        with scope, timezone.override(organisation.time_zone), translation.override(organisation.language):
            yield

    def clients(self) -> QuerySet[Client]:
        """The clients that the token may see, inside `scope`."""
        return self.token.seen_clients()


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Machine, ApiToken] | None:
        parts = get_authorization_header(request).decode("latin-1").split()
        if not parts or parts[0].lower() != SCHEME:
            return None
        if len(parts) != 2 or not parts[1].startswith(PREFIX):
            raise AuthenticationFailed(_("This is not a token of Kontor."), code="bad_token")
        token = _token(token_digest(parts[1]))
        if token is None:
            raise AuthenticationFailed(_("The token is not known, or was revoked."), code="bad_token")
        return Machine(token), token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - REST framework's signature
        return 'Bearer realm="Kontor"'


def _token(digest: str) -> ApiToken | None:
    with system_scope("whose token this is"):
        rows = ApiToken.objects.filter(digest=digest, revoked_at=None).select_related("organisation")
        found: ApiToken | None = rows.first()
    return found if found is not None and hmac.compare_digest(found.digest, digest) else None


class HasToken(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - REST framework's signature
        return isinstance(request.user, Machine)
