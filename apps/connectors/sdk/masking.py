"""Hides secrets in requests and answers before anything is kept or shown.

A provider's `secret_paths` name them: `header:Authorization`, `query:token`, `json:value.token` (dots, `*` for any
item or key), `path:/token/session/([^/]+)` (the group is hidden).
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit, urlunsplit

MASK = "***"
SHORTEST = 8  # characters of a value that is hidden wherever it stands
MOST_LEARNT = 64  # values that a session goes on hiding: of more tokens the vendor has long ended the oldest
ALWAYS = (
    "header:authorization", "header:cookie", "header:set-cookie",
    "json:access_token", "json:refresh_token", "json:id_token",
    "query:code", "query:access_token", "query:refresh_token", "query:client_secret",
)  # fmt: skip


class Masker:
    """Built from the secret paths of one provider and the secret values in use; both are hidden wherever they stand."""

    def __init__(self, secret_paths: Iterable[str], values: Iterable[str] = ()) -> None:
        rules = [path.split(":", 1) for path in (*ALWAYS, *secret_paths)]
        self.headers = {name.lower() for kind, name in rules if kind == "header"}
        self.query = {name.lower() for kind, name in rules if kind == "query"}
        self.json = [name.split(".") for kind, name in rules if kind == "json"]
        self.paths = [re.compile(name) for kind, name in rules if kind == "path"]
        names = {steps[-1] for steps in self.json} - {"*"}
        # for bodies that are no whole JSON: a page that was cut, or JSON inside of another text
        self.pairs = re.compile(
            rb'"(%s)"(\s*:\s*)"(?:[^"\\]|\\.)*"?' % b"|".join(re.escape(n).encode() for n in sorted(names))
        )
        self.entered = [value for value in values if len(value) >= SHORTEST]
        self.learnt: dict[str, None] = {}  # the newest last
        self.sent: tuple[str, ...] = ()  # in headers of the request under way
        self.kept = self.forms = _forms(self.entered)

    def know(self, *values: str) -> None:
        """Hide these values too, from now on (a token that the vendor has just issued). Short ones would hide words."""
        long = [value for value in values if len(value) >= SHORTEST]
        new = [value for value in long if value not in self.learnt]
        for value in long:
            self.learnt.pop(value, None)
            self.learnt[value] = None
        if not new:
            return
        for spent in list(self.learnt)[:-MOST_LEARNT]:
            del self.learnt[spent]
        self.kept = _forms([*self.entered, *self.learnt])
        self.forms = _sorted([*self.kept, *_forms(self.sent)])

    def sending(self, headers: Mapping[str, str]) -> None:
        """Hide what proves who asks in this request, also where its answer repeats it: a signature, `user:token` coded."""
        secret = [value for name, value in headers.items() if name.lower() in self.headers]
        parts = tuple(part for value in secret for part in {value, value.rpartition(" ")[2]} if len(part) >= SHORTEST)
        if parts != self.sent:
            self.sent = parts
            self.forms = _sorted([*self.kept, *_forms(parts)])

    def url(self, address: str) -> str:
        parts = urlsplit(address)
        path = parts.path
        for pattern in self.paths:
            path = pattern.sub(_hide_group, path)
        query = "&".join(
            f"{quote(name)}={MASK if name.lower() in self.query else quote(value, safe='*(),')}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        return self.text(urlunsplit(parts._replace(path=path, query=query)))

    def header_values(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: MASK if name.lower() in self.headers else self.text(value) for name, value in headers.items()}

    def body(self, body: bytes) -> bytes:
        """The body with its secrets hidden; a JSON body is rewritten only where a secret path meets a value."""
        if self.json:
            try:
                data = json.loads(body)
            except (ValueError, RecursionError):
                data = None
            if data is None:
                body = self.pairs.sub(rb'"\1"\2"%s"' % MASK.encode(), body)
            elif any([_hide(data, steps) for steps in self.json]):  # noqa: C419 - every path, not the first that meets
                body = json.dumps(data, ensure_ascii=False).encode()
        for _form, sent in self.forms:
            body = body.replace(sent, MASK.encode())
        return body

    def text(self, text: str) -> str:
        for form, _sent in self.forms:
            text = text.replace(form, MASK)
        return text


def _forms(values: Iterable[str]) -> list[tuple[str, bytes]]:
    """The values as they stand in texts, in addresses (ours leave some signs as they are), in JSON; as bytes, too.

    The longest first: a secret that is part of another must not leave the rest of that other behind.
    """
    forms = {
        form
        for value in values
        for form in (value, quote(value, safe=""), quote_plus(value, safe="*(),:>"), json.dumps(value)[1:-1])
    }
    return _sorted([(form, form.encode()) for form in forms])


def _sorted(forms: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return sorted(forms, key=lambda form: (-len(form[0]), form[0]))


def _hide_group(match: re.Match[str]) -> str:
    whole = match.group(0)
    start, end = match.start(1) - match.start(0), match.end(1) - match.start(0)
    return whole if unquote(whole[start:end]).startswith((":", ">")) else whole[:start] + MASK + whole[end:]


def _hide(data: Any, steps: list[str]) -> bool:
    step, rest = steps[0], steps[1:]
    if isinstance(data, list):
        return any([_hide(item, steps if step != "*" else rest or ["*"]) for item in data]) if data else False  # noqa: C419
    if not isinstance(data, dict):
        return False
    found = False
    for key in list(data) if step == "*" else [step]:
        if key not in data or data[key] is None:
            continue
        if rest:
            found = _hide(data[key], rest) or found
        elif not isinstance(data[key], dict | list):
            data[key] = MASK
            found = True
    return found
