"""Walks every address of the program with ids that the walker may not see, and lists what gave something away.

The addresses come from the URL resolver and the admin's registry: what is added later is walked too, and what could
not be walked is a fault like any other.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from apps.connectors.registry import all_providers
from apps.core.scope import system_scope
from tests.office.worlds import World

REFUSED = {403, 404}
PAGES = ("changelist", "add", "change", "delete", "history")


@dataclass(frozen=True)
class Route:
    """One pattern of the resolver: `parts` are literal texts and parameters (name, converter) in turn."""

    name: str
    parts: tuple[str | tuple[str, str], ...]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return [part for part in self.parts if isinstance(part, tuple)]

    def filled(self, values: tuple[str, ...]) -> str:
        given = iter(values)
        return "/" + "".join(next(given) if isinstance(part, tuple) else part for part in self.parts)

    @property
    def is_api(self) -> bool:
        return isinstance(self.parts[0], str) and self.parts[0].startswith("api/")


def routes() -> list[Route]:
    return list(_below(get_resolver(), (), ""))


def _below(resolver: URLResolver, before: tuple[Any, ...], space: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        parts = (*before, *_parts(entry))
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _below(entry, parts, inner)
        elif isinstance(entry, URLPattern):
            yield Route(f"{space}{entry.name or entry.lookup_str}", _joined(parts))


def _parts(entry: Any) -> list[Any]:
    if isinstance(entry.pattern, RoutePattern):
        pieces = re.split(r"<(?:(\w+):)?(\w+)>", str(entry.pattern))
        found: list[Any] = [pieces[0]]
        for kind, name, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            found += [(name, kind or "str"), text]
        return found
    pattern = str(entry.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    pieces = re.split(r"\(\?P<(\w+)>[^)]*\)", pattern)
    found = [pieces[0]]
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        found += [(name, "str"), text]
    return found


def _joined(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    joined: list[Any] = [""]
    for part in parts:
        if isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


@dataclass
class Walk:
    """`sign_in` gives a fresh browser of the walker; `mine` is what the walker sees, `theirs` what it must not.

    `allowed`: names of addresses that the design opens all the same.
    """

    sign_in: Callable[[], Browser]
    mine: World
    theirs: World
    token: str = ""
    allowed: frozenset[str] = frozenset()
    faults: list[str] = field(default_factory=list)
    visited: set[str] = field(default_factory=set)
    requests: int = 0
    seen: dict[str, Any] = field(default_factory=dict)  # pages without their ids are asked for once

    def __post_init__(self) -> None:
        self.browser = self.sign_in()
        # addresses may carry texts of the other side, so only pages that answer with them are at fault
        self.texts = (self.theirs.number, f"9{self.theirs.mark}", self.theirs.mark.lower())

    def everything(self) -> list[str]:
        before = self.theirs.snapshot()
        for route in routes():
            if route.parameters:
                self.with_ids(route)
            else:
                self.without_ids(route)
        for model in admin.site._registry:
            self.lists(model)
            self.rows_of_mine(model)
            self.actions(model)
            self.forms(model)
            self.autocompletes(model)
        after = self.theirs.snapshot()
        for label, row in before.items():
            if after[label] != row:
                self.faults.append(f"{label} was changed: {row} -> {after[label]}")
        self.faults += self.unvisited()
        return self.faults

    def unvisited(self) -> list[str]:
        wanted = [
            f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
            for model in admin.site._registry
            for page in PAGES
        ]
        wanted += [route.name for route in routes()]
        return [f"{name} was not visited" for name in dict.fromkeys(wanted) if name not in self.visited | self.allowed]

    # -- Addresses ----------------------------------------------------------------------------------------------------

    def with_ids(self, route: Route) -> None:
        others = {str(self.theirs.pk), *self.texts}
        choices = list(product(*(self._candidates(*one) for one in route.parameters)))
        if not any(others & set(values) for values in choices):  # no id in it: it may answer, but not tell of theirs
            for values in choices:
                self.get(route.filled(values))
            self.visited.add(route.name)
        for values in choices:
            if route.name in self.allowed or not (others & set(values)):
                continue
            address = route.filled(values)
            if route.is_api:
                answers = [self.get(address, token=True)]
            else:
                # the admin sends /<id>/ on to /<id>/change/ without a look: what counts is where it ends
                popup = f"{address}?_popup=1&_to_field=id"
                answers = [
                    self.get(address, follow=True),
                    self.get(popup, follow=True),
                    self.post(address, follow=True),
                ]
            self.visited.add(route.name)
            codes = [answer.status_code for answer in answers]
            # 405: the address takes the other method only
            if not REFUSED & set(codes) or set(codes) - REFUSED - {405}:
                self.faults.append(f"{route.name} {address}: {codes}")

    def without_ids(self, route: Route) -> None:
        """Pages of one's own: they may answer, but not with anything of theirs."""
        if route.name in self.allowed:
            return
        address = route.filled(())
        answers = [self.get(address, token=True) if route.is_api else self.once(address)]
        self.visited.add(route.name)
        if not route.is_api and "logout" not in route.name:
            answers.append(self.post(address))
        if not route.name.endswith(("_changelist", "_add")):
            asked = "&".join(f"{name}={self.theirs.name}" for name in ("q", "s", "term", "search"))
            answers.append(self.get(f"{address}?{asked}&pk={self.theirs.pk}", token=route.is_api))
        for answer in answers:
            if answer.status_code >= 500:
                self.faults.append(f"{route.name} {address}: {answer.status_code}")

    def _candidates(self, name: str, converter: str) -> list[str]:
        pks = [str(self.mine.pk), str(self.theirs.pk)]
        if name == "content_type_id":
            return [str(ContentType.objects.get_for_model(model).pk) for model in self.theirs.rows]
        if name == "app_label":
            return sorted({model._meta.app_label for model in admin.site._registry})
        if converter == "int" or name in {"id", "object_id"}:
            return pks
        if converter in {"str", "slug", "path"}:
            return [*self.texts, next(iter(all_providers()))]
        raise AssertionError(f"the walk does not know what to put into <{converter}:{name}>")

    # -- The admin of one model ---------------------------------------------------------------------------------------

    def _address(self, model: type[models.Model], rest: str = "") -> str:
        return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rest}"

    def lists(self, model: type[models.Model]) -> None:
        """Search, every filter, and every foreign key asked for with their ids."""
        address, pk = self._address(model), self.theirs.pk
        answer = self.once(address)
        if answer.status_code in REFUSED:
            return
        asked = [f"q={self.theirs.name}&all=1&o=1", f"_popup=1&_to_field=id&id__exact={pk}"]
        asked += [f"{one.name}__id__exact={pk}" for one in model._meta.fields if one.is_relation]
        for spec in answer.context_data["cl"].filter_specs:
            asked += [f"{name}={pk}" for name in spec.expected_parameters()]
        for query in dict.fromkeys(asked):
            self.get(f"{address}?{query}", follow=True)

    def rows_of_mine(self, model: type[models.Model]) -> None:
        """Pages of one's own rows that also tell of what hangs on them, or has happened to them."""
        for page in ("delete", "history"):
            self.get(self._address(model, f"{self.mine.pk}/{page}/"))

    def actions(self, model: type[models.Model]) -> None:
        address = self._address(model)
        answer = self.once(address)
        if answer.status_code in REFUSED:
            return
        names = [name for name, _label in _choices(answer) if name]
        for name in names or ["delete_selected"]:
            for chosen in ([self.theirs.pk], [self.mine.pk, self.theirs.pk]):
                answer = self.post(address, {"action": name, "_selected_action": chosen, "index": 0, "post": "yes"})
                if names and answer.status_code not in REFUSED:
                    self.faults.append(f"action {name} of {model._meta.label}: {answer.status_code}")

    def forms(self, model: type[models.Model]) -> None:
        """Every choice of a form without theirs; their ids sent all the same are refused and change nothing."""
        for rest in ("add/", f"{self.mine.pk}/change/"):
            address = self._address(model, rest)
            answer = self.once(address)
            if answer.status_code != 200 or "adminform" not in _shown(answer):
                continue
            form = _shown(answer)["adminform"]
            data = _filled(answer)
            for name, one in form.form.fields.items():
                if isinstance(one, forms.ModelChoiceField):
                    with system_scope("the choices as they were made for the walker"):
                        offered = one.queryset.filter(pk=self.theirs.pk).exists()
                    if offered and one.queryset.model in self.theirs.rows:
                        self.faults.append(f"{address}: {name} offers {one.queryset.model._meta.label}")
                    sent = self.post(address, data | {name: self.theirs.pk})
                    if sent.status_code != 200 or name not in _shown(sent)["adminform"].form.errors:
                        self.faults.append(f"{address}: {name} took their id ({sent.status_code})")
        self._crafted(model)

    def _crafted(self, model: type[models.Model]) -> None:
        """Foreign keys that the form does not even have."""
        row = self.mine.rows.get(model)
        address = self._address(model, f"{self.mine.pk}/change/")
        answer = self.once(address)
        if row is None or answer.status_code != 200 or not _filled(answer):
            return
        keys = [one for one in model._meta.fields if one.is_relation]
        extra = {name: self.theirs.pk for one in keys for name in (one.name, one.attname)}
        before = model._base_manager.filter(pk=row.pk).values(*(one.attname for one in keys)).get()
        self.post(address, extra | _filled(answer))
        self.post(address, _filled(answer) | extra)
        after = model._base_manager.filter(pk=row.pk).values(*(one.attname for one in keys)).get()
        for name, value in after.items():
            if value != before[name] and value == self.theirs.pk:
                self.faults.append(f"{address}: {name} is theirs now")

    def autocompletes(self, model: type[models.Model]) -> None:
        for one in (*model._meta.fields, *model._meta.many_to_many):
            if one.is_relation:
                asked = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}&field_name={one.name}"
                self.get(f"/admin/autocomplete/?{asked}&term={self.theirs.name}")
                self.get(f"/admin/autocomplete/?{asked}&term=")

    # -- Requests -----------------------------------------------------------------------------------------------------

    def once(self, address: str) -> Any:
        if address not in self.seen:
            self.seen[address] = self.get(address)
        return self.seen[address]

    def get(self, address: str, *, token: bool = False, follow: bool = False) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if token else {}
        browser = Browser() if token else self.browser
        return self._heard(address, browser.get(address, headers=headers, follow=follow))

    def post(self, address: str, data: dict[str, Any] | None = None, *, follow: bool = False) -> Any:
        sent = data or {"reason": "x", "number": "x"}
        answer = self._heard(address, self.browser.post(address, sent, follow=follow))
        if "_auth_user_id" not in self.browser.session:
            self.browser = self.sign_in()
        return answer

    def _heard(self, address: str, answer: Any) -> Any:
        self.requests += 1
        shown = b"".join(answer.streaming_content) if answer.streaming else answer.content
        text = shown.decode("utf-8", "replace") + str(dict(answer.headers)) + str(answer.cookies)
        told = [mark for mark in self.theirs.marks if mark in text]
        # a redirect may repeat the address that was asked for
        if told and not (answer.status_code in {301, 302} and not shown):
            self.faults.append(f"{answer.request['REQUEST_METHOD']} {address} ({answer.status_code}) tells {told}")
        return answer


def _shown(answer: Any) -> dict[str, Any]:
    """What a page was made of; not `answer.context`, whose keeping costs more than all the rest."""
    return getattr(answer, "context_data", None) or {}


def _choices(answer: Any) -> list[tuple[str, str]]:
    form = _shown(answer).get("action_form")
    return list(form.fields["action"].choices) if form else []


def _filled(answer: Any) -> dict[str, Any]:
    """What a browser would send back of the page's form as it stands."""
    data: dict[str, Any] = {}
    shown = _shown(answer)
    bound = list(shown["adminform"].form) if "adminform" in shown else []
    for formset in shown.get("inline_admin_formsets") or []:
        bound += list(formset.formset.management_form)
    for one in bound:
        value = one.value()
        if value not in (None, False):
            data[one.html_name] = [getattr(item, "pk", item) for item in value] if isinstance(value, list) else value
    return data
