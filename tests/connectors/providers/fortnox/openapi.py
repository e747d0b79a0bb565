"""Checks requests and answers against the vendor's own openapi.json, strictly: no unknown path, parameter or property.

What the document lacks is in the provider's `spec_gaps`, and here in GAPS and MORE.
"""

import json
import re
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

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


def minute(text: str) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", text)
    datetime.fromisoformat(text)


PAGING = {"page": int, "limit": int, "sortorder": str}
GAPS: dict[str, dict[str, Any]] = {  # the provider's spec_gaps: query names by path
    "/3/accounts": {"financialyear": int},
    "/3/accounts/{Number}": {"financialyear": int},
    "/3/vouchers": {
        "fromdate": date.fromisoformat,
        "todate": date.fromisoformat,
        "lastmodified": minute,
        "sortby": str,
    },
    "/3/suppliers": {"lastmodified": minute},
    "/3/sie/{Type}": {"financialyear": int},
}
MORE = {"fortnox_FinancialYear": {"accountCharts"}}  # recorded, not in the document
META = {"@TotalResources", "@TotalPages", "@CurrentPage"}
ERROR = {"error", "message", "code"}


@cache
def document() -> dict[str, Any]:
    folder = specs_folder()
    assert folder is not None
    found: dict[str, Any] = json.loads((folder / "fortnox" / "openapi.json").read_text(encoding="utf-8"))
    return found


def check(exchange: Exchange) -> None:
    """AssertionError for a request or an answer that the document does not know."""
    parts = urlsplit(exchange.url)
    path = find(parts.path.removeprefix("/fortnox"))
    operation = document()["paths"][path][exchange.method.lower()]
    known = {spec["name"]: spec for spec in operation.get("parameters", []) if spec["in"] == "query"}
    gaps = GAPS.get(path, {}) | (PAGING if "{" not in path else {})
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name in known:
            check_text(known[name], text)
        else:
            assert name in gaps, f"{path}: no parameter {name}"
            gaps[name](text)
    count_request()
    if exchange.status == 200 and path != "/3/sie/{Type}" and exchange.body.startswith(b"{"):
        check_answer(operation, json.loads(exchange.body), path)
        count_answer()
    elif exchange.status != 200 and exchange.body.startswith(b"{"):
        body = json.loads(exchange.body)
        told = body.get("ErrorInformation", body)
        assert {name.lower() for name in told} <= ERROR, f"{path}: {body}"
        count_answer()


def check_answer(operation: dict[str, Any], body: dict[str, Any], path: str) -> None:
    body = dict(body)
    assert set(body.pop("MetaInformation", {})) <= META
    check_value(next(iter(operation["responses"]["200"]["content"].values()))["schema"], body, path)


def find(path: str) -> str:
    paths = document()["paths"]
    if path in paths:
        return path
    wanted = path.split("/")
    for name in paths:
        parts = name.split("/")
        if len(parts) == len(wanted) and all(
            part == given or (part.startswith("{") and unquote(given))
            for part, given in zip(parts, wanted, strict=True)
        ):
            return str(name)
    raise AssertionError(f"no path {path}")


def check_text(spec: dict[str, Any], text: str) -> None:
    if spec["schema"]["type"] == "integer":
        int(text)
    if "enum" in spec["schema"]:
        assert text in spec["schema"]["enum"], f"{spec['name']}={text}"
    if spec["name"] == "lastmodified":
        minute(text)


def check_value(schema: dict[str, Any], value: Any, where: str) -> None:
    more: set[str] = set()
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        more = MORE.get(name, set())
        schema = document()["components"]["schemas"][name]
    if value is None:
        return
    kind = schema.get("type", "object")
    fitting: Any = TYPES[kind] if kind != "number" else (int, float, str)  # QuantityInStock "0" is recorded
    assert isinstance(value, fitting), f"{where}: {value!r} is no {kind}"
    assert kind == "boolean" or not isinstance(value, bool), f"{where}: {value!r} is no {kind}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r}"
    if kind == "array":
        for item in value:
            check_value(schema["items"], item, f"{where}[]")
    if kind == "object":
        for key, inner in value.items():
            if key not in more:
                assert key in schema["properties"], f"{where}: no property {key}"
                check_value(schema["properties"][key], inner, f"{where}.{key}")
