"""The shape of what a vendor answers: which fields there are and of which type, never a value. JSON and XML alike.

A field that was always there and is in none of the new answers is gone, or has another name now; a field that has a type
never seen in it is retyped. New fields are no news.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from apps.connectors.sdk.xml import Element

SAMPLED = 10  # items of a list
KNOWN_WELL = 20  # objects after which "always" means something
ENOUGH = 3  # new objects without the field; one is enough where an answer is one object
MOST_COUNTED = 100  # from then on a place is known
_ID = re.compile(r"[^/]*\d[^/]*")


def placed(path: str) -> str:
    """One name for the addresses of a resource: `/vouchers/*` for `/vouchers/17`. `v2` of a base address stays away."""
    return "/".join("*" if _ID.fullmatch(step) else step for step in urlsplit(path).path.split("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`gone`: `was` is no more, perhaps called `now`. `retyped`: `field` had the types `was` and has also `now`."""

    kind: str
    field: str
    was: str = ""
    now: str = ""


@dataclass(slots=True)
class Shape:
    """How often each object was seen, and in how many each of its fields stood, with which types."""

    objects: dict[str, int] = field(default_factory=dict)
    fields: dict[str, tuple[int, set[str]]] = field(default_factory=dict)

    def add(self, data: Any, at: str = "") -> None:
        if isinstance(data, list):
            for item in _some(data):
                self.add(item, f"{at}[]")
            return
        parts = dict(_parts(data))
        if not parts and not isinstance(data, dict | Element):
            return
        self.objects[at] = self.objects.get(at, 0) + 1
        for name, values in parts.items():
            path = f"{at}.{name}" if at else name
            count, types = self.fields.get(path, (0, set()))
            self.fields[path] = (count + 1, types | {_type(value) for value in values} - {"null"})
            for value in _some(values):
                self.add(value, path)

    def take(self, other: "Shape") -> bool:
        """Count what `other` saw, too; whether that is worth keeping: something new, or not yet well known."""
        news = any(self.objects.get(path, 0) < MOST_COUNTED for path in other.objects)
        before = dict(self.objects)
        for path, count in other.objects.items():
            self.objects[path] = min(MOST_COUNTED, before.get(path, 0) + count)
        for path in {*self.fields, *other.fields}:
            parent = _parent(path)
            held, known = self.fields.get(path, (0, set()))
            count, types = other.fields.get(path, (0, set()))
            # counted by what is missing: a field that was missing once stays one that may be
            missing = before.get(parent, 0) - held + other.objects.get(parent, 0) - count
            total = max(0 if missing else 1, self.objects.get(parent, 0) - missing)
            news = news or path not in self.fields or not types <= known or (missing > 0 and held == before.get(parent))
            self.fields[path] = (total, known | types)
        return news

    def changes(self, new: "Shape") -> list[Change]:
        """What is other in `new` than it always was here."""
        found = []
        for path, (count, types) in sorted(self.fields.items()):
            parent = _parent(path)
            objects, seen = self.objects.get(parent, 0), new.objects.get(parent, 0)
            now, new_types = new.fields.get(path, (0, set()))
            enough = 1 if objects <= self.objects.get("", 0) and "[]" not in path else ENOUGH
            if objects < KNOWN_WELL and enough == ENOUGH:
                continue
            if count == objects and seen >= enough and not now and objects > 1:
                found.append(Change(kind="gone", field=path, was=path, now=self._renamed(path, new)))
            elif types and new_types - types:
                found.append(
                    Change(kind="retyped", field=path, was=_words(types), now=_words(new_types - types)),
                )
        gone = {change.field for change in found if change.kind == "gone"}
        return [change for change in found if _parent(change.field).removesuffix("[]") not in gone]

    def _renamed(self, path: str, new: "Shape") -> str:
        """The one new field beside it that has its type and is always there."""
        parent, (_count, types) = _parent(path), self.fields[path]
        fitting = [
            other
            for other, (count, other_types) in new.fields.items()
            if other not in self.fields
            and _parent(other) == parent
            and count == new.objects.get(parent, 0)
            and other_types == types
        ]
        return fitting[0] if len(fitting) == 1 else ""

    def as_json(self) -> dict[str, Any]:
        return {"objects": self.objects, "fields": {path: [n, sorted(t)] for path, (n, t) in self.fields.items()}}


def from_json(data: dict[str, Any]) -> Shape:
    fields = {path: (int(count), set(types)) for path, (count, types) in data.get("fields", {}).items()}
    return Shape(dict(data.get("objects", {})), fields)


def _parts(data: Any) -> Iterator[tuple[str, list[Any]]]:
    """The fields of an object with their values; an XML element may have several of one name."""
    if isinstance(data, dict):
        yield from ((str(name), [value]) for name, value in data.items())
    elif isinstance(data, Element):
        found: dict[str, list[Any]] = {f"@{_name(str(name))}": [str(value)] for name, value in data.attrib.items()}
        for child in data:
            if isinstance(child.tag, str):
                found.setdefault(_name(child.tag), []).append(child)
        yield from found.items()


def _name(tag: str) -> str:
    return tag.rpartition("}")[2].lower()  # vendors write one name both ways in a document


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes/no"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "list"
    if isinstance(value, Element):
        # an empty element is of either kind
        return "object" if len(value) else ("text" if (value.text or "").strip() else "null")
    return "text" if isinstance(value, str) else "number"


def _some(items: list[Any]) -> list[Any]:
    return items if len(items) <= SAMPLED else [*items[: SAMPLED // 2], *items[-SAMPLED // 2 :]]


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _words(types: set[str]) -> str:
    return ", ".join(sorted(types))
