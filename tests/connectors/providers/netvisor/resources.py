"""Checks an exchange against resources.json: path, method, names of parameters; and that its answer is a document."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apps.connectors.providers.netvisor.calls import decode
from apps.connectors.sdk.session import Exchange
from tests.specs import count_answer, count_request, specs_folder

MANY = {"netvisorkeylist": 500, "idlist": 400}
LEDGER = "accountingledger.nv"


@cache
def known() -> dict[str, dict[str, Any]]:
    folder = specs_folder()
    assert folder is not None
    found = json.loads((folder / "netvisor" / "resources.json").read_text(encoding="utf-8"))
    return {row["name"]: row for row in found["resources"]}


def names(row: dict[str, Any]) -> set[str]:
    """`startdate+enddate(YYYY-MM-DD)`, `voucherstatus=1|2|3`, `id`: the names alone."""
    heads = [re.split(r"[(= ]", text)[0] for text in row.get("params", ())]
    return {name.lower() for head in heads for name in head.split("+")}


def check(exchange: Exchange) -> None:
    parts = urlsplit(exchange.url)
    resource = parts.path.rsplit("/", 1)[-1]
    given = {name.lower(): value for name, value in parse_qsl(parts.query)}
    row = known()[resource]
    assert exchange.method == row["method"]
    assert set(given) <= names(row), f"{resource} has no {set(given) - names(row)}"
    assert exchange.request_body == b""
    for name, most in MANY.items():
        assert len(given.get(name, "").split(",")) <= most
    if resource == LEDGER:
        alone = {"netvisorkey", "netvisorkeylist", "lastmodifiedstart"}
        assert {"startdate", "enddate"} <= set(given) or alone & set(given)
    count_request()
    if exchange.status == 200:
        root, readable = decode(exchange.body, exchange.headers)
        assert readable, root
        count_answer()
