"""Every page of the program by its name, with ids of this world's own rows in its address.

The names come from the URL resolver and the admin's registry (tests/office/walk.py): a page that is added later is
visited too, and one that cannot be is told.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from django.contrib import admin
from django.db import models
from django.test import Client as Browser

from apps.clients.models import Assignment, Client
from apps.connectors.models import Connection, Connector
from apps.connectors.registry import all_providers
from apps.ledger.models import Posting
from apps.notifications.models import Problem, Webhook
from apps.onboarding.models import Batch
from apps.organisations.models import Organisation, User
from tests.office.walk import Route, routes

# What stands before the first id of an address, and whose id it is; the admin's own tell it themselves.
OWNERS: dict[str, type[models.Model]] = {
    "admin/assignments/": Assignment,
    "admin/connections/": Connection,
    "admin/connectors/": Connector,
    "admin/connectors/new/": Organisation,
    "admin/onboarding/": Batch,
    "admin/onboarding/clients/": Organisation,
    "admin/onboarding/discover/": Connector,
    "admin/people/": User,
    "admin/problems/": Problem,
    "admin/restricted/": Client,
    "admin/webhooks/": Webhook,
}
# Pages that show something else when they are asked so.
QUERIES = {
    "office:balances": ("", "?show=sheet", "?show=profit"),
    "office:integration_form": ("", "?auth=oauth_client"),
    "admin:notifications_problem_changelist": ("", "?state=all"),
    "admin:search": ("?s=a",),
    "admin:autocomplete": ("?app_label=connectors&model_name=connector&field_name=client&term=",),
}
# Names that are no page of ours: they answer nobody, or only lead on to what is visited below its own name.
NO_PAGES = {
    "admin:connectors_connector_add",
    "admin:connectors_connector_change",
    "admin:django.contrib.admin.sites.AdminSite.catch_all_view",
    "admin:django.views.generic.base.RedirectView",
    "admin:login",
    "admin:organisations_user_reset_second_factor",
    "admin:view_on_site",
    "django.views.generic.base.RedirectView",
    "people:factor_enter",
}


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    address: str
    status: int
    content: bytes


def addresses(most: int, more: Mapping[str, int] | None = None) -> list[tuple[str, str]]:
    """(name, address) of every page, with so many rows each; `more` rows of those named there."""
    return [
        (route.name, route.filled(values) + query)
        for route in routes()
        if route.name not in NO_PAGES and not route.is_api
        for values in _values(route, (more or {}).get(route.name, most))
        for query in QUERIES.get(route.name, ("",))
    ]


def _values(route: Route, most: int) -> Iterator[tuple[str, ...]]:
    if not route.parameters:
        yield ()
    elif route.name == "admin:app_list":
        yield from {(model._meta.app_label,) for model in admin.site._registry}
    else:
        own = {f"admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in admin.site._registry}
        owner = (OWNERS | own)[str(route.parts[0])]
        for pk in _ends(owner, most):
            others = [_others(name, pk) for name, _converter in route.parameters[1:]]
            yield from ((str(pk), *rest) for rest in product(*others))


def _ends(owner: type[models.Model], most: int) -> list[int]:
    """The oldest and the latest rows."""
    pks = list(owner._base_manager.order_by("pk").values_list("pk", flat=True))
    return pks if len(pks) <= most else pks[: most // 2] + pks[most // 2 - most :]


def _others(name: str, client: int) -> list[str]:
    if name == "number":
        posted = Posting.objects.filter(client=client).order_by("account__number")
        return list(posted.values_list("account__number", flat=True)[:1])
    if name == "connector_pk":
        return [str(pk) for pk in Connector.objects.filter(client=None).values_list("pk", flat=True)]
    return {"slug": list(all_providers())}[name]


def visit(browser: Browser, asked: Iterable[tuple[str, str]]) -> Iterator[Page]:
    for name, address in asked:
        answer = browser.get(address)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[arg-type]
        told = f"\n== {name} {address}\n{dict(answer.headers)} {answer.cookies}\n"
        yield Page(name, address, answer.status_code, told.encode() + body)


def unvisited(pages: Iterable[Page]) -> dict[str, list[int]]:
    """Names of which root was shown no page, with what came instead.

    403: nobody may, or root would. 405: it only takes what is sent.
    """
    answers: dict[str, set[int]] = {route.name: set() for route in routes() if not route.is_api}
    for page in pages:
        answers[page.name].add(page.status)
    return {
        name: sorted(codes)
        for name, codes in answers.items()
        if name not in NO_PAGES and 200 not in codes and not (codes and codes <= {403, 405})
    }
