"""The sandbox's answers against the vendor's specification and its recorded answers."""

import json
import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests import specs
from tests.connectors.providers.fortnox.vendor import Client

# What the vendor wrote down

GAPS = {  # recorded or documented, but not in openapi.json; each with its source
    "MetaInformation": "samples/customers__all.json and every other list",
    "accountCharts": "samples/docs__financialyears_list.json",
}
TEXT_NUMBERS = {"QuantityInStock"}  # in article lists: samples/articles__all.json
UNSET = {"ConstructionAccount"}  # 0 below its minimum: samples/articles__save_new.json
PATHS = [
    "companyinformation", "settings/company", "settings/lockedperiod", "financialyears", "financialyears/4", "accounts",
    "accounts/1510", "vouchers", "vouchers/B/1", "vouchers/sublist", "vouchers/sublist/B", "voucherseries",
    "voucherseries/B", "costcenters", "costcenters/1", "projects", "projects/101", "customers", "customers/1",
    "suppliers", "suppliers/1", "articles", "articles/1", "currencies", "currencies/EUR", "me",
    "termsofpayments", "termsofpayments/30", "units", "units/st",
]  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "object": (dict,), "array": (list,),
}  # fmt: skip


def folder() -> Path:
    found = specs.specs_folder()
    if found is None or not (found / "fortnox" / "openapi.json").is_file():
        if os.environ.get("KONTOR_REQUIRE_SPECS") == "1":
            pytest.fail("vendor specs: NOT CHECKED")
        pytest.skip("vendor specs: NOT CHECKED")
    return found / "fortnox"


@cache
def document() -> dict[str, Any]:
    return dict(json.loads((folder() / "openapi.json").read_text(encoding="utf-8")))


def check(schema: dict[str, Any], value: Any, where: str) -> None:
    """Types, enums, dates and names; null may stand anywhere (samples/customers__find_id_1.json and others)."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if value is None:
        return
    kind = schema.get("type", "object")
    if where.rsplit(".", 1)[-1] in TEXT_NUMBERS and "[]" in where and kind == "number":
        kind = "string"
    assert isinstance(value, TYPES[kind]), f"{where}: {value!r} is no {kind}"
    assert kind == "boolean" or not isinstance(value, bool), f"{where}: {value!r} is no {kind}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r}"
    if schema.get("format") == "date":
        date.fromisoformat(value)
    if kind == "integer" and (value or where.rsplit(".", 1)[-1] not in UNSET):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value), where
    if kind == "array":
        assert len(value) >= schema.get("minItems", 0), where
        for item in value:
            check(schema["items"], item, f"{where}[]")
    if kind == "object":
        assert set(schema.get("required", ())) <= set(value), where
        for name, inner in value.items():
            assert name in schema["properties"] or name in GAPS, f"{where}: no property {name}"
            if name in schema["properties"]:
                check(schema["properties"][name], inner, f"{where}.{name}")


def operation(path: str) -> dict[str, Any]:
    paths = document()["paths"]
    if f"/3/{path}" in paths:
        return dict(paths[f"/3/{path}"]["get"])
    fitting = [p for p in paths if "{" in p and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", p), f"/3/{path}")]
    return dict(paths[fitting[0]]["get"])


@pytest.mark.parametrize("path", PATHS)
def test_answers_validate_against_the_vendors_specification(client: Client, path: str) -> None:
    schema = operation(path)["responses"]["200"]["content"]["application/json"]["schema"]
    check(schema, client.body(path), path)
    specs.count_answer()


@pytest.mark.parametrize("case", ["", "upper"])
@pytest.mark.parametrize("path", ["customers/999", "customers?filter=x"])
def test_errors_validate_but_for_the_spelling_of_their_keys(client: Client, path: str, case: str) -> None:
    client.set("error_case", case)
    schema = operation("customers")["responses"]["default"]["content"]["application/json"]["schema"]
    body = client.get(path).json()
    body["ErrorInformation"] = {name.title(): value for name, value in body["ErrorInformation"].items()}
    check(schema, body, path)
    specs.count_answer()


def shape(value: Any) -> Any:
    """Names and kinds; what stands for nothing ("" and null) is of any kind, a list of its first object's."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "" if value in ("", None) else "number" if type(value) in (int, float) else type(value).__name__


def same(theirs: Any, ours: Any, where: str = "") -> None:
    if "" in (theirs, ours) or [] in (theirs, ours):
        return
    if isinstance(theirs, dict):
        assert set(theirs) <= set(ours), f"{where}: {set(theirs) - set(ours)}"
        for name, inner in theirs.items():
            same(inner, ours[name], f"{where}.{name}")
    elif isinstance(theirs, list):
        same(theirs[0], ours[0], f"{where}[]")
    else:
        assert theirs == ours, where


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("articles__all", "articles/"),
        ("articles__find_failure", "articles/123456789"),
        ("articles__save_new", "articles/1"),
        ("customers__all", "customers/"),
        ("customers__find_id_1", "customers/1"),
        ("customers__save_new", "customers/1"),
        ("customers__search_miss", "customers/?name=nothing"),
        ("docs__financialyears_list", "financialyears"),
        ("docs__vouchers_list", "vouchers"),
        ("projects__all", "projects/"),
        ("termsofpayments__all", "termsofpayments/"),
        ("units__all", "units/"),
        ("error_403_register_permission", "suppliers"),
        ("authentication__expired_token", "customers"),
    ],
)
def test_recorded_answers_have_the_same_shape(client: Client, name: str, path: str) -> None:
    theirs = json.loads((folder() / "samples" / f"{name}.json").read_text(encoding="utf-8"))["response"]
    if name.startswith("error_403"):
        client.fault("no_right")
    if name.startswith("authentication"):
        client.token = "expired"
    ours = client.get(path)
    assert ours.status_code == (200 if "save_new" in name else theirs["status"])
    if ours.status_code != 200 or "miss" in name:
        assert ours.json() == theirs["body"]
    same(shape(theirs["body"]), shape(ours.json()))
    specs.count_sample()


def test_recorded_sign_ins_have_the_same_shape(client: Client) -> None:
    samples = folder() / "samples"
    bad = json.loads((samples / "authentication__invalid_refresh_token.json").read_text(encoding="utf-8"))["response"]
    answer = client.refresh("used-before")
    assert (answer.status_code, answer.json()) == (bad["status"], bad["body"])
    assert answer.headers["Content-Type"] == bad["headers"]["Content-Type"]
    good = json.loads((samples / "authentication__valid_request.json").read_text(encoding="utf-8"))["response"]
    pair = client.exchange(client.code()).json()
    answer = client.refresh(pair["refresh_token"])
    assert (answer.status_code, set(answer.json())) == (good["status"], set(good["body"]))
    assert answer.headers["Content-Type"] == good["headers"]["Content-Type"]
    docs = json.loads((samples / "docs__oauth_token_and_revoke.json").read_text(encoding="utf-8"))
    assert set(pair) == set(docs["token_response_200"])
    gone = client.oauth("revoke", token_type_hint="refresh_token", token=answer.json()["refresh_token"])
    assert gone.json() == docs["revoke_response_200"]
    for _ in range(3):
        specs.count_sample()
