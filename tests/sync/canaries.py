"""Secrets made to be found again: vendors that repeat what they are sent, and a search through every form of a secret."""

import base64
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from django.db import connection
from django.test import Client as Browser

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
    secrets: set[str] = field(default_factory=set)  # issued, and what requests were signed with
    wire: bytearray = field(default_factory=bytearray)

    @property
    def store(self) -> Any:
        return self.sandbox.store

    def handle(self, request: Request) -> Answer:
        self.count += 1
        self.wire += json.dumps(dict(request.headers)).encode() + request.body + repr(request.query).encode()
        for name, value in request.headers.items():
            if name in ("authorization", "x-netvisor-authentication-mac") and len(self.secrets) < 60:
                self.secrets |= {value.rpartition(" ")[2]}
        if self.mode or (not self.quiet and self.count % 4 == 0):
            self.echoed += 1
            return self._echo(request, self.mode or 500)
        answer: Answer = self.sandbox.handle(request)
        self.secrets |= {found.decode() for found in TOKENS.findall(answer.body)}
        self.wire += answer.body
        answer.headers["Set-Cookie"] = f"session=canary-cookie-{self.count % 5}-value"
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


def leaks(hay: bytes, secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if any(form in hay for form in forms(secret))]


# -- Places -----------------------------------------------------------------------------------------------------------


def database() -> bytes:
    """Every byte of the database's files, its log of writes too, and every cell of every table."""
    found = bytearray()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own names
            for row in cursor.fetchall():
                for cell in row:
                    found += bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
                    found += b"\n"
        if connection.vendor == "postgresql":
            cursor.execute("CHECKPOINT")
            cursor.execute("SHOW data_directory")
            folder = Path(cursor.fetchone()[0])
            files = [path for part in ("base", "pg_wal") for path in (folder / part).rglob("*") if path.is_file()]
        else:
            name = Path(str(connection.settings_dict["NAME"]))
            files = [path for path in name.parent.glob(f"{name.name}*") if path.is_file()]
    assert files
    # By another process: SQLite loses its locks when this one closes a file that it has open twice.
    found += subprocess.run(["/bin/cat", *map(str, files)], capture_output=True, check=False).stdout
    return bytes(found)


def queue() -> bytes:
    """django-q2's rows with what they pack: signed, pickled, compressed."""
    from django_q.models import OrmQ

    found = bytearray()
    for row in OrmQ.objects.all():
        found += repr(row.task).encode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT args, kwargs, result, func, name FROM django_q_task")
        for row in cursor.fetchall():
            for cell in row:
                found += str(cell).encode() + b"\n"
                with suppress(ValueError):
                    found += base64.b64decode(str(cell), validate=True)
    return bytes(found)


def exchanges() -> bytes:
    """As they are shown: decrypted."""
    from apps.connectors.exchanges import body_of
    from apps.connectors.models import Exchange

    found = bytearray()
    for row in Exchange.objects.select_related("payload"):
        found += f"{row.place} {row.url} {row.request} {row.error}\n".encode()
        found += (body_of(row) or b"") + b"\n"
    return bytes(found)


def pages(browser: Browser, most: int) -> Iterator[bytes]:
    """Every page that links lead to, the nearest first."""
    ahead, seen = ["/admin/"], {"/admin/"}
    while ahead and most:
        address = ahead.pop(0)
        answer = browser.get(address, follow=True)
        most -= 1
        body = answer.content if not answer.streaming else b"".join(answer.streaming_content)  # type: ignore[arg-type]
        yield body + repr(dict(answer.headers)).encode()
        for link in re.findall(rb'href="(/admin/[^"#]*)', body):
            path = link.decode().replace("&amp;", "&")
            if path not in seen and "logout" not in path and path.count("?") <= 1:
                seen.add(path)
                ahead.append(path)
