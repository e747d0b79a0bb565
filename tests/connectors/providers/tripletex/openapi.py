"""Checks requests and answers against the vendor's own openapi.json, strictly: no unknown path, parameter or property.

What the document lacks is in the provider's `spec_gaps`: refusals, 304, null in any field, versionDigest texts.
"""

import json
import re
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apps.connectors.sdk.session import Exchange
from tests.specs import count_answer, count_request, specs_folder

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
ERROR = {"status", "code", "message", "link", "developerMessage", "validationMessages", "requestId"}


@cache
def document() -> dict[str, Any]:
    folder = specs_folder()
    assert folder is not None
    found: dict[str, Any] = json.loads((folder / "tripletex" / "openapi.json").read_text(encoding="utf-8"))
    return found


def check(exchange: Exchange) -> None:
    """AssertionError for a request or an answer that the document does not know."""
    parts = urlsplit(exchange.url)
    path = parts.path.removeprefix("/tripletex").removeprefix("/v2")
    operation = find(path, exchange.method)
    known = {spec["name"]: spec for spec in operation.get("parameters", []) if spec["in"] == "query"}
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in given.items():
        assert name in known, f"{path}: no parameter {name}"
        check_text(known[name], value)
    assert not [
        name
        for name, spec in known.items()
        if spec.get("required") and name not in given and "default" not in spec["schema"]
    ]
    if exchange.request_body:
        check_value(content(operation["requestBody"]), json.loads(exchange.request_body), f"{path} body")
    count_request()
    if exchange.status == 304:
        return
    body = json.loads(exchange.body)
    if exchange.status in (200, 201):
        check_value(content(operation["responses"][str(exchange.status)]), body, path)
    else:
        assert set(body) <= ERROR, f"{path}: {set(body) - ERROR}"
    count_answer()


def find(path: str, method: str) -> dict[str, Any]:
    paths = document()["paths"]
    if path not in paths:
        fitting = [p for p in paths if "{" in p and re.fullmatch(re.sub(r"\{[^}]+\}", r"[0-9]+", p), path)]
        assert fitting, f"no path {path}"
        path = fitting[0]
    assert method.lower() in paths[path], f"{path}: no {method}"
    found: dict[str, Any] = paths[path][method.lower()]
    return found


def content(holder: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(holder["content"].values()))["schema"]
    return found


def check_text(spec: dict[str, Any], text: str) -> None:
    kind = spec["schema"]["type"]
    if kind == "integer":
        int(text)
    if kind == "boolean":
        assert text in ("true", "false")
    if spec["name"].startswith("date"):
        date.fromisoformat(text)


def check_value(schema: dict[str, Any], value: Any, where: str) -> None:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if value is None:
        return
    kind = schema.get("type", "object")
    assert isinstance(value, TYPES[kind]), f"{where}: {value!r} is no {kind}"
    assert kind == "boolean" or not isinstance(value, bool), f"{where}: {value!r} is no {kind}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r}"
    if kind == "array":
        for item in value:
            check_value(schema["items"], item, f"{where}[]")
    if kind == "object":
        for name, inner in value.items():
            assert name in schema["properties"], f"{where}: no property {name}"
            check_value(schema["properties"][name], inner, f"{where}.{name}")
