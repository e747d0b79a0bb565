"""The ways to sign in that a provider can declare. Each puts what proves who asks on a request, by `sign`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from apps.connectors.sdk.failures import Refusal
from apps.connectors.sdk.fields import Field, Values

if TYPE_CHECKING:
    from apps.connectors.sdk.session import Prepared, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key that the customer makes in the vendor's pages. `sign` puts it on a request; `renew` mends a refused one.

    `renew` is called once after a 401: it drops what was derived from the key and returns whether to try again.
    """

    fields: tuple[Field, ...]
    sign: Callable[["Session", "Prepared"], None]
    renew: Callable[["Session"], bool] | None = None
    name: str = "api_key"
    late: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Each attempt is signed anew, as the last thing before it is sent.

    `sign` finds in `Prepared.address` the address exactly as it goes out, and must not ask the vendor anything.
    """

    fields: tuple[Field, ...]
    sign: Callable[["Session", "Prepared"], None]
    renew: Callable[["Session"], bool] | None = None
    name: str = "signed"
    late: ClassVar[bool] = True


class ClientAuth(StrEnum):
    """How the application proves itself at the token endpoint."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


Address = str | Callable[[Values], str]


def address_of(address: Address, values: Values) -> str:
    return address if isinstance(address, str) else address(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Client:
    """Client credentials: an access token for the application itself, asked for again whenever needed.

    `token_headers` and `token_params` are added to the token request (a tenant, an audience).
    `consent`: what a company has to allow once, in the browser, before there are tokens for it. What that `learn`s fills
    the connection's fields of the same name, and its own tokens are not kept.
    `refusals` judge the token endpoint's refusals before the table of the SDK does; `Refusal.codes` are OAuth's `error`.
    `access_lifetime` counts where the answer has no `expires_in`.
    """

    fields: tuple[Field, ...]
    token_url: Address
    scopes: tuple[str, ...] = ()
    client_auth: ClientAuth = ClientAuth.BASIC
    token_headers: Callable[[Values], Mapping[str, str]] = lambda _values: {}
    token_params: Callable[[Values], Mapping[str, str]] = lambda _values: {}
    access_lifetime: timedelta = timedelta(hours=1)
    refusals: tuple[Refusal, ...] = ()
    client_id: str = "client_id"  # names of the fields
    client_secret: str = "client_secret"  # noqa: S105
    consent: "OAuth2Code | None" = None
    name: str = "oauth_client"
    late: ClassVar[bool] = False

    def sign(self, session: "Session", out: "Prepared") -> None:
        from apps.connectors.sdk.oauth import bearer

        bearer(session, out)

    def renew(self, session: "Session") -> bool:
        from apps.connectors.sdk.oauth import renew

        return renew(session)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Code:
    """Authorization code: a person consents in the vendor's pages; the grant belongs to one client's connection.

    `authorize_params` are added to the consent address. `refresh_lifetime`: how long an unused refresh token lives
    (None: not told, no warning); `rotates`: a refresh token is good once. `learn` takes what is worth keeping from a
    token answer (a tenant), found by providers as `session.tokens_in_use().learnt`. `redirect_field`: the field that
    holds the registered redirect address, where the vendor wants it entered.
    """

    fields: tuple[Field, ...]
    authorize_url: Address
    token_url: Address
    scopes: tuple[str, ...]
    revoke_url: Address | None = None
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    client_auth: ClientAuth = ClientAuth.BASIC
    pkce: bool = True
    token_headers: Callable[[Values], Mapping[str, str]] = lambda _values: {}
    token_params: Callable[[Values], Mapping[str, str]] = lambda _values: {}
    access_lifetime: timedelta = timedelta(hours=1)
    refresh_lifetime: timedelta | None = None
    warn_before: timedelta = timedelta(days=10)
    rotates: bool = True
    learn: Callable[[Mapping[str, Any]], Mapping[str, str]] = lambda _answer: {}
    refusals: tuple[Refusal, ...] = ()
    client_id: str = "client_id"
    client_secret: str = "client_secret"  # noqa: S105
    redirect_field: str | None = None
    name: str = "oauth_code"
    late: ClassVar[bool] = False

    def sign(self, session: "Session", out: "Prepared") -> None:
        from apps.connectors.sdk.oauth import bearer

        bearer(session, out)

    def renew(self, session: "Session") -> bool:
        from apps.connectors.sdk.oauth import renew

        return renew(session)


Auth = ApiKey | Signed | OAuth2Code | OAuth2Client
OAuth = OAuth2Code | OAuth2Client


def consent_of(auth: Auth) -> OAuth2Code | None:
    """What people are sent to the vendor's pages for; None where nobody has to go there."""
    if isinstance(auth, OAuth2Client):
        return auth.consent
    return auth if isinstance(auth, OAuth2Code) else None
