"""Examines a connection step by step, from the address to a page read, and says where it ends and what helps.

Nothing is stored from what is read. What is asked is what a night asks first.
"""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from apps.connectors import environment
from apps.connectors.enums import Check, CheckState
from apps.connectors.grants import consent_warning
from apps.connectors.guard import check_company
from apps.connectors.models import Connection, Examination, PayloadShape
from apps.connectors.registry import provider as provider_of
from apps.connectors.sdk import remedies
from apps.connectors.sdk.auths import OAuth, address_of
from apps.connectors.sdk.declaration import Auth, Provider, Reader
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy, Who
from apps.connectors.sdk.queries import Full, Page, Query, Window
from apps.connectors.sdk.session import Session
from apps.connectors.sdk.transport import CONNECT_SECONDS, NetworkError, Transport
from apps.connectors.sessions import answered, keep_shapes, open_session
from apps.connectors.troubles import trouble_of
from apps.core.addresses import AddressRefusedError, check_address, connect
from apps.notifications.actions import Trouble, raise_problem, resolve_problems
from apps.notifications.models import Problem
from apps.records.enums import Resource
from apps.records.ledger import FiscalYear

ORDER = tuple(Check)
LATELY = timedelta(days=6)
# what a night needs, the years first: they say which balances can be asked for
NEEDED = (
    Resource.FISCAL_YEARS, Resource.LOCKS, Resource.ACCOUNTS, Resource.DIMENSIONS, Resource.CONTROL_BALANCES,
    Resource.VOUCHERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    check: Check
    state: CheckState
    detail: str = ""
    trouble: Trouble | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """`found` has each check once, in order."""

    connection: Connection
    checks: dict[Check, Found] = field(default_factory=dict)
    warnings: list[Trouble] = field(default_factory=list)

    @property
    def found(self) -> list[Found]:
        return [self.checks.get(check) or Found(check=check, state=CheckState.NOT_REACHED) for check in ORDER]

    @property
    def ok(self) -> bool:
        return all(found.state == CheckState.OK for found in self.found)

    def fine(self, *checks: Check, detail: str = "") -> None:
        for check in checks:
            self.checks.setdefault(check, Found(check=check, state=CheckState.OK, detail=detail))

    def fail(self, check: Check, trouble: Trouble) -> None:
        self.checks[check] = Found(check=check, state=CheckState.FAILED, detail=trouble.detail, trouble=trouble)


class _EndedError(Exception):
    """A check failed; those behind it cannot be reached."""

    def __init__(self, check: Check, error: ConnectorError) -> None:
        super().__init__(check)
        self.check = check
        self.error = error


def examine(connection: Connection, *, detail: str | None = None) -> Report:
    """Ask the vendor, outside any transaction; the result is kept. `detail`: known to be well, and from what."""
    report = Report(connection=connection)
    if detail is None:
        try:
            _ask(report)
        except _EndedError as ended:
            report.fail(ended.check, trouble_of(ended.error))
    else:
        report.fine(*ORDER, detail=detail)
    report.warnings = list(_warnings(connection))
    Examination.objects.update_or_create(
        connection=connection,
        defaults={
            "checks": [asdict(found) for found in report.found],
            "warnings": [asdict(trouble) for trouble in report.warnings],
        },
    )
    return report


def tell(report: Report) -> None:
    """The nightly examination raises what it found as problems of the connection, and ends those that are over."""
    connection = report.connection
    troubles = [found.trouble for found in report.found if found.trouble is not None] + report.warnings
    lasting = [trouble for trouble in troubles if trouble.failure != Failure.TRANSIENT]
    with transaction.atomic():
        for trouble in lasting:
            raise_problem(client=connection.client, subject=connection, trouble=trouble)
        if report.ok:
            ours = ("connector.", f"{connection.connector.provider}.")
            raised = Problem.objects.filter(
                subject_kind=Connection._meta.label_lower, subject_id=str(connection.pk), resolved_at=None
            )
            others = [code for code in raised.values_list("code", flat=True) if not code.startswith(ours)]
            resolve_problems(subject=connection, keep=[*others, *(trouble.code for trouble in lasting)])


def _warnings(connection: Connection) -> Iterator[Trouble]:
    with suppress(KeyError, ValueError):  # a provider that is not installed has no warning
        warning = consent_warning(connection)
        if warning is not None:
            yield warning


def _ask(report: Report) -> None:
    session: Session | None = None
    refused: ConnectorError | None = None
    try:
        session = open_session(report.connection)
    except ConnectorError as error:
        refused = error
    try:
        _reach(report, session)
        if session is None:
            assert refused is not None  # noqa: S101 - no session: it was refused
            check = Check.COMPANY if refused.remedy is remedies.PLACEHOLDER else Check.CREDENTIALS
            raise _EndedError(check, refused)
        _sign_in(report, session)
        _company(report, session)
        _read(report, session)
    finally:
        if session is not None:
            session.transport.close()
            keep_shapes(session)


# -- Address and TLS --------------------------------------------------------------------------------------------------


def _reach(report: Report, session: Session | None) -> None:
    """Every address that is needed leads somewhere, and its certificate is good."""
    connector = report.connection.connector
    try:
        provider = provider_of(connector.provider)
        auth = provider.auth_named(connector.auth)
        values = session.values if session else dict(connector.values)
        addresses = _addresses(provider, auth, values)
    except (KeyError, ValueError):
        return  # not known before the fields are right: told as such
    transport = session.transport if session else environment.transport(provider)
    for address in addresses:
        try:
            _connect(transport, address)
        except (ssl.SSLError, ssl.CertificateError) as error:
            report.fine(Check.ADDRESS)
            raise _EndedError(Check.TLS, _error(Failure.SETUP, remedies.TLS_REFUSED, error)) from error
        except (NetworkError, AddressRefusedError) as error:
            passing = isinstance(error, NetworkError) and error.passing
            remedy = remedies.UNREACHABLE if passing else remedies.ADDRESS_REFUSED
            failure = Failure.TRANSIENT if passing else Failure.SETUP
            raise _EndedError(Check.ADDRESS, _error(failure, remedy, error)) from error
        except OSError as error:
            raise _EndedError(Check.ADDRESS, _error(Failure.TRANSIENT, remedies.UNREACHABLE, error)) from error
    report.fine(Check.ADDRESS, Check.TLS)


def _addresses(provider: Provider, auth: Auth, values: Any) -> list[str]:
    found = [provider.base_url(values)]
    if isinstance(auth, OAuth):
        found.append(address_of(auth.token_url, values))
    return found


def _connect(transport: Transport, address: str) -> None:
    aimed, _extra = transport.address(address, [])
    check_address(aimed, allow_private=transport.allow_private)
    parts = urlsplit(aimed)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    allowed = transport.allow_private
    with connect(parts.hostname or "", port, timeout=CONNECT_SECONDS, allow_private=allowed) as plain:
        if secure:
            context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
            context.wrap_socket(plain, server_hostname=parts.hostname).close()


def _error(failure: Failure, remedy: Any, error: Exception) -> ConnectorError:
    return ConnectorError(failure, remedy, detail=f"{type(error).__name__}: {error}"[:300], sent=False)


# -- What the vendor says ---------------------------------------------------------------------------------------------


def _sign_in(report: Report, session: Session) -> None:
    if isinstance(session.auth, OAuth):
        _judged(report, session, Check.TOKEN, session.tokens_in_use)
        report.fine(Check.CREDENTIALS, Check.TOKEN)


def _company(report: Report, session: Session) -> None:
    connection = report.connection
    identity = _judged(
        report, session, Check.COMPANY, lambda: answered(session, lambda: session.provider.verify(session))
    )
    report.fine(Check.CREDENTIALS, Check.TOKEN, Check.RIGHTS)
    trouble = check_company(identity=identity, client=connection.client, connection=connection)
    if trouble is not None:
        raise _EndedError(Check.COMPANY, _as_error(trouble))
    report.fine(Check.COMPANY, detail=identity.name)


def _read(report: Report, session: Session) -> None:
    """The first page of everything that a night needs; each right that is missing is told in one go."""
    missing: list[tuple[Resource, ConnectorError]] = []
    today = timezone.now().astimezone(report.connection.client.zone).date()
    year: FiscalYear | None = None
    for resource in NEEDED:
        query = _query(resource, today, year)
        endpoint = session.provider.resources.get(resource)
        if query is None or endpoint is None or endpoint.read is None:
            continue
        try:
            page = answered(session, partial(_first_page, session, endpoint.read, query))
        except ConnectorError as error:
            if error.failure is not Failure.PERMISSION:
                raise _EndedError(_check_of(session, error, Check.READ), error) from error
            missing.append((resource, error))
            continue
        years = [row for row in page.records if isinstance(row, FiscalYear)]
        year = next((row for row in years if row.start <= today <= row.end), year)
    if missing:
        names = ", ".join(resource.value for resource, _error in missing)
        first = missing[0][1]
        first.detail = f"{names}: {first.detail}"
        raise _EndedError(Check.RIGHTS, first)
    report.fine(Check.READ)


def _first_page(session: Session, read: Reader, query: Query) -> Page:
    for page in read(session, query=query, resume=None, digests=_NONE):
        return page
    return Page(last=True)


def _query(resource: Resource, today: date, year: FiscalYear | None) -> Query | None:
    if resource is Resource.VOUCHERS:
        return Window(today - LATELY, today)
    if resource is Resource.CONTROL_BALANCES:
        return Window(year.start, year.end) if year else None
    return Full()


class _NoDigests:
    def get(self, key: str) -> str | None:  # noqa: ARG002 - a page is read, whatever was read before
        return None


_NONE = _NoDigests()


def _judged(report: Report, session: Session, at: Check, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ConnectorError as error:
        check = _check_of(session, error, at)
        before = ORDER[: ORDER.index(check)]
        # nobody was asked: what stands before is not known either, but for the way there
        known = before if error.sent else [step for step in before if step in (Check.ADDRESS, Check.TLS)]
        report.fine(*known)
        raise _EndedError(check, error) from error


def _check_of(session: Session, error: ConnectorError, at: Check) -> Check:
    """Which check a refusal belongs to: the field at fault tells, then the kind, else where it came up."""
    if error.remedy.code == remedies.ADDRESS_REFUSED.code:
        return Check.ADDRESS
    if error.field in session.provider.identity_fields:
        return Check.COMPANY
    if error.failure is Failure.PERMISSION:
        return Check.RIGHTS
    if error.failure is Failure.RECONNECT and isinstance(session.auth, OAuth) and error.field is None:
        return Check.TOKEN
    if error.failure in (Failure.RECONNECT, Failure.SETUP):
        return Check.CREDENTIALS
    return at


def _as_error(trouble: Trouble) -> ConnectorError:
    remedy = Remedy(code=trouble.code, who=Who(trouble.who), title=trouble.title, steps=trouble.steps)
    return ConnectorError(Failure(trouble.failure), remedy, detail=trouble.detail, facts=trouble.facts)


def changed_shapes(connection: Connection) -> Iterable[PayloadShape]:
    """The places whose answers are other than they were."""
    return [row for row in PayloadShape.objects.filter(connection=connection) if row.changes]
