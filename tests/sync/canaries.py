"""Secrets made to be found again: vendors that repeat what they are sent, and a search through every form of a secret."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote, quote_plus

from apps.connectors import environment
from apps.connectors.models import ConnectorSecret
from apps.connectors.registry import all_providers
from apps.connectors.sdk.declaration import FieldScope
from apps.connectors.sdk.sandbox import Answer, Request
from apps.sandbox.story import STORIES

PLANTED = "planted-canary-0123456789"
# what the stories say -> what is entered in its place
ENTERED = {
    "eyJ0b2tlbklkIjogOTAwMSwgInRva2VuIjogImRlbW8ta29udG9yLWNvbnN1bWVyIn0=": "Canary+Consumer/Token=7001",
    "eyJ0b2tlbklkIjogNDExNzAxLCAidG9rZW4iOiAiZGVtby1ub3JkdmlrLWJydWtlcm5va2tlbC1yZWduc2thcHNrb250b3IifQ==": (
        "Canary/Bureau&Key+7002=="
    ),
    "DEMOPARTNERKEY0A1B2C3D4E5F6071": "CANARYPARTNERKEY7003",
    "DEMOCUSTOMERKEY2001A7F3": "CANARYCUSTOMERKEY7004",
    "DEMOCUSTOMERKEY2002B1C9": "CANARYCUSTOMERKEY7005",
    "demo-malardalen-hemlighet": "canary client/secret+7006",
}
REFRESH = "canary-refresh-token-7007"  # of a consent that a person gave
WRONG = "canary/wrong&key+7009"  # typed into forms, and refused
PASSWORD, WRONG_PASSWORD = "canary password 7010", "canary pasword 7011"
SHORTEST = 4  # of a form
SIGNED_KEPT = 60  # of signatures there are as many as requests
TOKENS = re.compile(rb'"(?:token|access_token|refresh_token)"\s*:\s*"([^"]{8,})"')


def stories(folder: Path) -> list[Path]:
    """The three stories with canaries for keys; one consent is a person's, with a refresh token."""
    made = []
    for path in sorted(STORIES.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        for demo, canary in ENTERED.items():
            text = text.replace(demo, canary)
        service = '{ client_id = "kOnt0rDemoApp", service = true }'
        text = text.replace(service, f'{service}, {{ client_id = "kOnt0rDemoApp", refresh_token = "{REFRESH}" }}', 1)
        made.append(folder / path.name)
        made[-1].write_text(text, encoding="utf-8")
    return made


@dataclass
class Echo:
    """A vendor that repeats what it is sent, unless `quiet`: every fourth time as a fault, with `mode` always, that status."""

    sandbox: Any
    quiet: bool = True
    mode: int = 0
    count: int = 0
    echoed: int = 0
    issued: set[str] = field(default_factory=set)  # tokens and cookies
    signed: set[str] = field(default_factory=set)  # what proves who asks, in the first requests
    wire: bytearray = field(default_factory=bytearray)

    @property
    def store(self) -> Any:
        return self.sandbox.store

    def handle(self, request: Request) -> Answer:
        self.count += 1
        self.wire += json.dumps(dict(request.headers)).encode() + request.body + repr(request.query).encode()
        for name, value in request.headers.items():
            if name in ("authorization", "x-netvisor-authentication-mac") and len(self.signed) < SIGNED_KEPT:
                self.signed.add(value.rpartition(" ")[2])
        if self.mode or (not self.quiet and self.count % 4 == 0):
            self.echoed += 1
            return self._echo(request, self.mode or 500)
        answer: Answer = self.sandbox.handle(request)
        cookie = f"canary-cookie-{self.count % 5}-value"
        self.issued |= {cookie, *(found.decode() for found in TOKENS.findall(answer.body))}
        self.wire += answer.body
        answer.headers["Set-Cookie"] = f"session={cookie}"
        return answer

    def _echo(self, request: Request, status: int) -> Answer:
        told = {
            "message": f"cannot take {request.body.decode('utf-8', 'replace')}",
            "headers": dict(request.headers),
            "query": dict(request.query),
            "address": f"{request.path}?{'&'.join(f'{name}={quote(value)}' for name, value in request.query)}",
        }
        headers = {"Content-Type": "application/json", "X-Echo": request.headers.get("authorization", "-")}
        body = json.dumps(told) if self.count % 8 else "\n".join(f"{name}: {value}" for name, value in told.items())
        return Answer(status=status, headers=headers, body=body.encode())


def forms(secret: str) -> set[bytes]:
    """The secret as it may stand somewhere: as it is, in addresses, in JSON, in base64 at each place of three."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    found |= {quote(secret).encode(), raw.hex().encode(), secret.replace("&", "&amp;").encode()}
    for before in range(3):
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            coded = code(b"\0" * before + raw)
            # without the ends, which depend on what stands beside
            found.add(coded[4 if before else 0 : len(coded) // 4 * 4 - 4])
    return found


def leaks(hay: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """The secrets that are there, each with what stands around it. By grep, which looks for all forms at once."""
    owner = {form: secret for secret in secrets for form in forms(secret)}
    assert all(len(form) >= SHORTEST for form in owner), "so short a text stands in many a place by chance"
    with NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(owner))
        patterns.flush()
        command = ["grep", "--text", "--only-matching", "--fixed-strings", "--file", patterns.name]
        done = subprocess.run(command, input=hay, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode in (0, 1), done.stderr
    found = sorted(set(done.stdout.splitlines()))
    return {owner[form]: _around(hay, hay.index(form), form) for form in found}


def _around(hay: bytes, at: int, form: bytes) -> str:
    head = hay.rfind(b"\n== ", 0, at)
    page = hay[head + 1 : hay.find(b"\n", head + 1)] if head >= 0 else b""
    return f"{page[:120]!r} {hay[max(0, at - 60) : at + len(form) + 20]!r}"


def entered() -> dict[str, set[str]]:
    """What stands in this world in each secret field that any provider declares: `provider.field` -> values."""
    found: dict[str, set[str]] = {}
    for provider in all_providers().values():
        kept = [row.entered() for row in ConnectorSecret.objects.filter(connector__provider=provider.slug)]
        for spec in (spec for auth in provider.auth for spec in auth.fields if spec.secret):
            operator = [environment.operator_value(provider.slug, spec.name)]
            values = operator if spec.scope is FieldScope.OPERATOR else [row.get(spec.name, "") for row in kept]
            found.setdefault(f"{provider.slug}.{spec.name}", set()).update(filter(None, values))
    return found
