"""The `fields` and `sorting` parameters: which properties an answer carries, and in what order rows come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from apps.connectors.providers.tripletex.sandbox.answers import Refused, money
from apps.connectors.providers.tripletex.sandbox.models import BY_NAME_ONLY, DEFAULTS, MODELS, PATHS, Prop

HOST = "tripletex.no/v2"
Find = Callable[[str, int], dict[str, Any] | None]


@dataclass(slots=True)
class Plan:
    """A compiled fields filter. `template` holds the defaults in the order of the answer, `subs` the expansions."""

    model: str
    template: dict[str, Any] = field(default_factory=dict)
    props: dict[str, Prop] = field(default_factory=dict)
    subs: dict[str, "Plan"] = field(default_factory=dict)


def url(model: str, id: int | str) -> str:
    return f"{HOST}/{PATHS.get(model, model[:1].lower() + model[1:])}/{id}"


def reference(model: str, id: int) -> dict[str, Any]:
    return {"id": id, "url": url(model, id)}


def illegal(name: str, model: str) -> Refused:
    text = f"Illegal field in fields filter: {name}. {name} does not match a field in the model: {model}DTO"
    return Refused(400, 11000, text)


@lru_cache(256)
def compile_fields(model: str, text: str) -> Plan:
    """The plan of a filter such as `*,postings(*,account(id,number))`; an empty one means `*`."""
    plan, end = _parse(model, text.strip() or "*", 0)
    if end < len(text.strip()):
        raise illegal(text.strip()[end:], model)
    return plan


def _parse(model: str, text: str, at: int) -> tuple[Plan, int]:
    plan = Plan(model)
    while at <= len(text):
        start = at
        while at < len(text) and text[at] not in ",()":
            at += 1
        name = text[start:at].strip()
        inner = None
        if at < len(text) and text[at] == "(":
            prop = MODELS.get(model, {}).get(name)
            inner, at = _parse(prop.model if prop else "", text, at + 1)
            if at >= len(text) or text[at] != ")":
                raise illegal(name, model)
            at += 1
        if name:
            _add(plan, name, inner)
        if at >= len(text) or text[at] == ")":
            break
        at += 1
    order = MODELS.get(model, {})  # the answer keeps the model's order, not the filter's (list_ledger_account_1920)
    plan.props = {name: order[name] for name in order if name in plan.props}
    plan.template = {name: plan.template[name] for name in plan.props}
    return plan, at


def _add(plan: Plan, name: str, inner: Plan | None) -> None:
    known = MODELS.get(plan.model)
    if known is None:  # a model that is never answered here but null
        return
    if name == "*":
        hidden = BY_NAME_ONLY.get(plan.model, set()) | {"changes"}
        for prop in known.values():
            if prop.name not in hidden:
                _take(plan, prop)
        return
    if name not in known:
        raise illegal(name, plan.model)
    _take(plan, known[name])
    if inner is not None and known[name].kind in ("ref", "list"):
        plan.subs[name] = inner


def _take(plan: Plan, prop: Prop) -> None:
    defaults = DEFAULTS.get(plan.model, {})
    if prop.name in plan.props:
        return
    plan.props[prop.name] = prop
    value = defaults.get(prop.name)
    if value is None:
        value = 0 if prop.name == "version" or prop.kind == "money" else [] if prop.kind == "list" else None
    plan.template[prop.name] = value


def render(row: dict[str, Any], plan: Plan, find: Find) -> dict[str, Any]:
    """The row as the vendor shows it under the plan."""
    out = plan.template.copy()
    for name, prop in plan.props.items():
        value = row.get(name, out[name])
        kind = prop.kind
        if kind == "plain":
            out[name] = value
        elif kind == "money":
            out[name] = money(value) if value else 0
        elif value is None:
            out[name] = None
        elif kind == "ref":
            out[name] = _expand(prop.model, value, plan.subs.get(name), find)
        else:
            sub = plan.subs.get(name)
            out[name] = [_expand(prop.model, one, sub, find) for one in value]
    if "url" in plan.props and "id" in row:
        out["url"] = url(plan.model, row["id"])
    return out


def _expand(model: str, value: Any, sub: Plan | None, find: Find) -> Any:
    if isinstance(value, dict):  # an object without an id of its own, carried whole
        return render(value, sub or compile_fields(model, "*"), find)
    if not isinstance(value, int):
        return value
    if sub is None:
        return {"id": value, "url": url(model, value)}
    found = find(model, value)
    return render(found, sub, find) if found is not None else None


def sort_rows(rows: Sequence[dict[str, Any]], model: str, sorting: str, find: Find) -> Sequence[dict[str, Any]]:
    """Sorted by `-date,project.name`; an unknown name is refused with 17000."""
    for word in reversed([word.strip() for word in sorting.split(",") if word.strip()]):
        path = word.lstrip("-").split(".")
        known = model
        for step in path:
            prop = MODELS.get(known, {}).get(step)
            if prop is None:
                text = f"Field specified for use in sorting does not exist: '{word.lstrip('-')}'"
                raise Refused(422, 17000, text, fields=[])
            known = prop.model
        rows = sorted(rows, key=_key(model, path, find), reverse=word.startswith("-"))
    return rows


def _key(model: str, path: list[str], find: Find) -> Callable[[dict[str, Any]], tuple[bool, Any]]:
    def key(row: dict[str, Any]) -> tuple[bool, Any]:
        value: Any = row
        known = model
        for step in path:
            if isinstance(value, int):
                value = find(known, value)
            if value is None:
                return (False, 0)
            default = DEFAULTS.get(known, {}).get(step)
            value, known = value.get(step, default), MODELS[known][step].model
        return (
            (value is not None, value if value is not None else 0)
            if not isinstance(value, list)
            else (True, len(value))
        )

    return key
