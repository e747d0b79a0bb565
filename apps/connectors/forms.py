"""The connector's form, built from the provider's declaration. Secrets go in and never come out."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy

from apps.clients.placeholders import PLACEHOLDERS, has_placeholder
from apps.connectors.models import Connection, Connector
from apps.connectors.sdk.declaration import Auth, Field, FieldScope, Provider
from apps.connectors.sessions import declared, secrets_held
from apps.connectors.values import asked_per_client, known_placeholders

WAYS = {
    "api_key": gettext_lazy("key"),
    "signed": gettext_lazy("signed with a key"),
    "oauth_code": gettext_lazy("consent"),
    "oauth_client": gettext_lazy("service account"),
}


def way_label(auth: Auth) -> Any:
    """How people call a way to sign in."""
    return WAYS.get(auth.name, auth.name)


class ConnectorForm(forms.Form):
    """Base of the forms that `connector_form` makes. `provider` and `auth` are set there."""

    provider: Provider
    auth: Auth

    def split(self) -> tuple[dict[str, str], dict[str, str]]:
        """The cleaned values, and the secrets that were typed: one left out keeps what is stored."""
        secret = {spec.name for spec in self.auth.fields if spec.secret}
        values = {name: text for name, text in self.cleaned_data.items() if name not in secret}
        secrets = {name: text for name, text in self.cleaned_data.items() if name in secret and text}
        return values, secrets


def connector_form(
    provider: Provider,
    auth: Auth | str | None,
    *,
    connector: Connector | None = None,
    shared: bool = False,
    consenting: bool = False,
) -> type[ConnectorForm]:
    """The form's class for a new connector, or for changing one. Operator fields are no part of it.

    `shared`: a connection's fields are asked for each client by itself (`connection_form`). `consenting`: they may be
    left empty, since the consent tells them.
    """
    way = auth if isinstance(auth, Auth) else provider.auth_named(auth)
    held = set(secrets_held(connector))
    filled = connector.values if connector is not None else {}
    left_out = {FieldScope.OPERATOR, *([FieldScope.CONNECTION] if shared else [])}
    fields: dict[str, Any] = {
        spec.name: _form_field(
            spec, filled, kept=spec.name in held, told=consenting and spec.scope is FieldScope.CONNECTION
        )
        for spec in way.fields
        if spec.scope not in left_out
    }
    return type("ConnectorForm", (ConnectorForm,), {**fields, "provider": provider, "auth": way})


def connection_form(connection: Connection) -> type[ConnectorForm]:
    """What a client has to itself under a shared connector; without fields where there is nothing to ask."""
    found, way = declared(connection.connector.provider, connection.connector.auth)
    fields = {spec.name: _form_field(spec, connection.values, kept=False) for spec in asked_per_client(way)}
    return type("ConnectorForm", (ConnectorForm,), {**fields, "provider": found, "auth": way})


class DeclaredField(forms.CharField):
    """A field as the provider declared it: stripped, checked against its pattern, placeholders known."""

    def __init__(self, spec: Field, **options: Any) -> None:
        super().__init__(**options)
        self.spec = spec

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if not text or (self.spec.templated and _placeholders_known(text)):
            return text
        if not self.spec.fits(text):
            if self.spec.example:
                raise ValidationError(
                    translate("This does not have the right form. Example: %(example)s."),
                    params={"example": self.spec.example},
                )
            raise ValidationError(translate("This does not have the right form."))
        return text


def _placeholders_known(text: str) -> bool:
    """Whether there are placeholders: then the form shows only for a client. Raises ValidationError for unknown ones."""
    if not has_placeholder(text):
        return False
    for name in re.findall(r"%([^%\s]*)%", text):
        if name and name not in PLACEHOLDERS:
            raise ValidationError(
                translate("There is no placeholder %(name)s. There are: %(known)s."),
                params={"name": f"%{name}%", "known": known_placeholders()},
            )
    return True


def _form_field(spec: Field, filled: Mapping[str, str], *, kept: bool, told: bool = False) -> DeclaredField:
    options: dict[str, Any] = {
        "label": gettext_lazy(spec.label),
        "required": spec.required and not kept and not told,
        "help_text": _help(spec, kept=kept),
    }
    if spec.secret:
        options["widget"] = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
    else:
        attributes = {"autocomplete": "off", **({"placeholder": spec.example} if spec.example else {})}
        options["widget"] = forms.TextInput(attrs=attributes)
        options["initial"] = filled.get(spec.name, "")
    return DeclaredField(spec, **options)


def _help(spec: Field, *, kept: bool) -> Any:
    """Put together when shown, in the reader's language."""

    def text() -> str:
        parts = [translate(spec.help)] if spec.help else []
        if spec.templated:
            parts.append(translate("It may hold placeholders: %(known)s.") % {"known": known_placeholders()})
        if kept:
            parts.append(translate("Leave blank to keep what is stored."))
        return " ".join(parts)

    return lazy(text, str)()
