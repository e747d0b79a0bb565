"""Adding an integration: choose the system, fill in the form of its declaration, Activate."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods
from unfold.widgets import INPUT_CLASSES

from apps.clients.models import Client
from apps.clients.placeholders import PLACEHOLDERS
from apps.connectors.actions import Activation, activate, activate_shared
from apps.connectors.forms import ConnectorForm, DeclaredField, connector_form, way_label
from apps.connectors.models import Connection, Connector
from apps.connectors.registry import all_providers
from apps.connectors.sdk.declaration import Auth, OAuth2Code, Provider, consent_of
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.troubles import trouble_of
from apps.connectors.values import asked_per_client
from apps.notifications.actions import Trouble
from apps.notifications.models import Problem
from apps.office.views.connections import attach_feed, tell
from apps.office.views.consents import begin_from_form
from apps.office.views.page import allowed, found, page
from apps.organisations.models import Organisation

PAGE = "office/connector_form.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the form is for: a client's own connector, or the bureau's. `connector` where there is one already."""

    provider: Provider
    organisation: Organisation
    client: Client | None = None
    connector: Connector | None = None

    @property
    def may_choose(self) -> bool:
        """Whether another way to sign in may be taken; under the bureau's own connector, other clients' consents live."""
        return self.connector is None or self.client is not None

    def send(self, form: ConnectorForm, actor: Any) -> Activation:
        values, secrets = form.split()
        given: dict[str, Any] = {"provider": self.provider.slug, "auth": form.auth.name, "values": values}
        given |= {"secrets": secrets, "actor": actor, "connector": self.connector}
        if self.client is not None:
            return activate(client=self.client, **given)
        return activate_shared(organisation=self.organisation, **given)

    def example(self) -> Client | None:
        """The client that placeholders are shown for."""
        if self.client is not None:
            return self.client
        mine = Client.objects.filter(organisation=self.organisation)
        return mine.exclude(organisation_number="").order_by("name").first()


@require_GET
def choose_for_client(request: HttpRequest, pk: int) -> HttpResponse:
    client = found(request, "clients.client.connect", Client.objects.select_related("organisation"), pk)
    shared = {row.provider: row for row in Connector.objects.filter(organisation=client.organisation, client=None)}
    used = set(Connection.objects.filter(client=client).values_list("connector_id", flat=True))
    systems = [
        {
            "provider": provider,
            "own": reverse("office:integration_form", args=[pk, provider.slug]),
            "shared": shared.get(provider.slug),
            "used": provider.slug in shared and shared[provider.slug].pk in used,
        }
        for provider in _by_label()
    ]
    return page(request, "office/systems.html", _("Add an integration"), client=client, systems=systems)


@require_GET
def choose_for_bureau(request: HttpRequest) -> HttpResponse:
    user = allowed(request, "connectors.connector.add", None)
    mine = [row for row in Organisation.objects.all() if user.may("connectors.connector.add", row.pk)]
    systems = [
        {
            "provider": provider,
            "organisation": row,
            "own": reverse("office:connector_form", args=[row.pk, provider.slug]),
        }
        for row in mine
        for provider in _by_label()
    ]
    several = len(mine) > 1
    return page(request, "office/systems.html", _("Add a connector of the bureau"), systems=systems, several=several)


def _by_label() -> list[Provider]:
    return sorted(all_providers().values(), key=lambda provider: provider.label.lower())


@require_http_methods(["GET", "POST"])
def client_form(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    client = found(request, "clients.client.connect", Client.objects.select_related("organisation"), pk)
    connector = Connector.objects.filter(client=client, provider=slug).first()
    target = Target(provider=_provider(slug), organisation=client.organisation, client=client, connector=connector)
    return _form(request, target)


@require_http_methods(["GET", "POST"])
def bureau_form(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    organisation = found(request, "connectors.connector.add", Organisation.objects.all(), pk)
    connector = Connector.objects.filter(organisation=organisation, client=None, provider=slug).first()
    return _form(request, Target(provider=_provider(slug), organisation=organisation, connector=connector))


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    row = found(
        request,
        "connectors.connector.view",
        Connector.objects.select_related("organisation", "client__organisation"),
        pk,
    )
    allowed(request, f"connectors.connector.{'change' if row.client_id else 'share'}", row.organisation_id)
    target = Target(provider=_provider(row.provider), organisation=row.organisation, client=row.client, connector=row)
    return _form(request, target)


def _provider(slug: str) -> Provider:
    known = all_providers()
    if slug not in known:
        raise Http404
    return known[slug]


def _form(request: HttpRequest, target: Target) -> HttpResponse:
    auth = target.connector.auth if target.connector else None
    if target.may_choose:
        auth = request.GET.get("auth") or auth
    if auth not in (None, *(way.name for way in target.provider.auth)):
        raise Http404
    consenting = target.client is not None and _consenting(request, target.provider.auth_named(auth))
    form = connector_form(
        target.provider, auth, connector=target.connector, shared=target.client is None, consenting=consenting
    )(request.POST or None)
    trouble: Trouble | None = None
    if request.method == "POST" and form.is_valid():
        if consenting and target.client is not None:
            try:
                return begin_from_form(request, form, target.client, target.connector)
            except ConnectorError as error:
                return _show(request, target, form, trouble_of(error))
        outcome = target.send(form, request.user)
        if outcome.ok:
            return _done(request, target, outcome)
        trouble = outcome.trouble
        if outcome.connection is not None and outcome.connection.unconfirmed:
            tell(request, outcome)
            return redirect("office:connection", outcome.connection.pk)
    return _show(request, target, form, trouble)


def _consenting(request: HttpRequest, way: Auth) -> bool:
    """Whether the form leads to the other system's pages; where it need not, its button says so."""
    return isinstance(way, OAuth2Code) or (consent_of(way) is not None and "consent" in request.POST)


def _done(request: HttpRequest, target: Target, outcome: Activation) -> HttpResponse:
    if target.client is not None and outcome.connection is not None:
        tell(request, outcome)
        attach_feed(request, outcome.connection)
        return redirect("admin:clients_client_change", target.client.pk)
    if outcome.companies is not None:
        told = ngettext(
            "Activated. The key reaches %(count)d company.", "Activated. The key reaches %(count)d companies.",
            outcome.companies,
        )  # fmt: skip
        messages.success(request, told % {"count": outcome.companies})
    elif outcome.identity is not None:
        messages.success(request, _("Activated: %(company)s.") % {"company": outcome.identity.name})
    else:
        messages.success(request, _("Kept. Now connect the clients, one by one, below."))
    return redirect("office:connector", outcome.connector.pk if outcome.connector else 0)


def _show(request: HttpRequest, target: Target, form: ConnectorForm, trouble: Trouble | None) -> HttpResponse:
    example = target.example()
    filled = {name: of(example) for name, of in PLACEHOLDERS.items()} if example else {}
    for name, field in form.fields.items():
        field.widget.attrs["class"] = " ".join(INPUT_CLASSES)
        if isinstance(field, DeclaredField) and field.spec.templated:
            field.widget.attrs["data-k-becomes"] = f"becomes-{name}"
    told = Problem(title_text=trouble.title, step_texts=list(trouble.steps), facts=trouble.facts) if trouble else None
    return page(
        request,
        PAGE,
        f"{target.provider.label} · {target.client or target.organisation}",
        target=target,
        form=form,
        trouble=trouble,
        told=told,
        example=example,
        placeholders=json.dumps(filled),
        ways=[(way.name, way_label(way)) for way in target.provider.auth] if target.may_choose else [],
        consents=target.client is not None and consent_of(form.auth) is not None,
        activates=target.client is None or not isinstance(form.auth, OAuth2Code),
        waits=target.client is None and (consent_of(form.auth) is not None or bool(asked_per_client(form.auth))),
        guide=[{"text": _(step.text), "link": step.link} for step in target.provider.guide],
        users=_users(target) if target.client is None and target.connector else None,
    )


def _users(target: Target) -> dict[str, Any]:
    """Who reads through the bureau's connector, and who could."""
    rows = Connection.objects.filter(connector=target.connector).select_related("client", "connector")
    taken = {row.client_id for row in rows}
    free = Client.objects.filter(organisation=target.organisation).exclude(pk__in=taken).order_by("name")
    return {"rows": list(rows), "free": list(free[:50])}
