"""A provider's fields made ready for a session: collected, placeholders filled, checked. Nothing is sent here."""

from collections.abc import Collection, Mapping

from django.core.exceptions import ValidationError

from apps.clients.identifiers import clean_organisation_number
from apps.clients.models import Client
from apps.clients.placeholders import PLACEHOLDERS, PlaceholderError, fill, has_placeholder
from apps.connectors import environment
from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Auth, Field, FieldScope, Provider
from apps.connectors.sdk.failures import ConnectorError, Failure, Remedy

NO_CLIENT = "-"


def ready_values(
    provider: Provider,
    auth: Auth,
    given: Mapping[str, str],
    *,
    client: Client | None,
    operator: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> dict[str, str]:
    """The values a session is opened with. Raises ConnectorError (SETUP) naming the field.

    `operator`: operator fields that do not come from the environment. `without`: fields left empty although needed.
    """
    values: dict[str, str] = {}
    for field in auth.fields:
        if field.name in without:
            continue
        if field.scope is FieldScope.OPERATOR:
            value = (operator or {}).get(field.name) or environment.operator_value(provider.slug, field.name)
        else:
            value = given.get(field.name, "").strip()
            if field.templated and "%" in value:
                value = _filled(field, value, client)
        if not value:
            if field.required:
                raise _missing(provider, field)
            continue
        if not field.fits(value):
            detail = f"{field.name} does not have the right form" + (
                f", example: {field.example}" if field.example else ""
            )
            raise _refused(remedies.FIELD_FORM, field, detail)
        values[field.name] = value
    if provider.check_values is not None:
        provider.check_values(values)
    return values


def templated_with_placeholder(auth: Auth, values: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the fields whose value differs from client to client."""
    return tuple(field.name for field in auth.fields if field.templated and has_placeholder(values.get(field.name, "")))


def asked_per_client(auth: Auth) -> tuple[Field, ...]:
    """The fields that each client has its own value for, also where the connector is shared."""
    return tuple(field for field in auth.fields if field.scope is FieldScope.CONNECTION)


def known_placeholders() -> str:
    return ", ".join(f"%{name}%" for name in PLACEHOLDERS)


def _filled(field: Field, value: str, client: Client | None) -> str:
    named = str(client) if client is not None else NO_CLIENT
    try:
        if client is not None and client.organisation_number and "%ORGNR%" in value:
            clean_organisation_number(client.country, client.organisation_number)
        return fill(value, client or Client())
    except PlaceholderError as error:
        placeholder = f"%{error.name}%"
        if not error.known:
            detail = f"{field.name}: there is no placeholder {placeholder}; there are: {known_placeholders()}"
        elif client is None:
            detail = f"{field.name}: {placeholder} is filled in for a client, and there is none here"
        else:
            detail = f"{field.name}: client {client.number} ({named}) has no value for {placeholder}"
        raise _refused(remedies.PLACEHOLDER, field, detail, placeholder=placeholder, client=named) from error
    except ValidationError as error:
        detail = (
            f"{field.name}: the organisation number of {named} has not the form of {client.country if client else ''}"
        )
        raise _refused(remedies.PLACEHOLDER, field, detail, placeholder="%ORGNR%", client=named) from error


def _missing(provider: Provider, field: Field) -> ConnectorError:
    if field.scope is FieldScope.OPERATOR:
        name = environment.variable(provider.slug, field.name)
        return _refused(remedies.OPERATOR_FIELD, field, f"{name} is not set", variable=name)
    return _refused(remedies.FIELD_MISSING, field, f"{field.name} is not filled in")


def _refused(remedy: Remedy, field: Field, detail: str, **facts: str) -> ConnectorError:
    return ConnectorError(Failure.SETUP, remedy, field.name, detail, sent=False, facts={"field": field.label, **facts})
