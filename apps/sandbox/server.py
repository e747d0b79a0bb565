"""Serves sandboxes over HTTP on 127.0.0.1: the vendor's own paths, and control under `/__sandbox__/<slug>/`.

`/<slug>/<vendor path>` reaches that sandbox. With one sandbox served, a path without a slug is the vendor's own;
so is every path of a request that carries `X-Original-Host` and names no slug.

Control (JSON): POST `/__sandbox__/<slug>/<company>/edit` with an Edit, POST `.../<company>/fault` with
`{"switch": ..., "settings": {...} | null}` (several: a list), POST `/__sandbox__/<slug>/seed` with
`{"books": ..., "access": ...}`, POST `/__sandbox__/<slug>/setting` with `{"name", "value", "company"?}`,
POST `/__sandbox__/<slug>/shift` with `{"days": n}` (the sandbox's today), GET `/__sandbox__/<slug>/counters`.
"""

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from apps.connectors.sdk.sandbox import Answer, Books, Edit, Request, Sandbox
from apps.records.json import from_json

CONTROL = "/__sandbox__/"
NO_BODY = (204, 304)
GZIP_FROM = 512  # smaller bodies are sent as they are


class Server(ThreadingHTTPServer):
    """Threads per connection, on the loopback address only."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, sandboxes: Mapping[str, Sandbox], port: int) -> None:
        self.sandboxes = dict(sandboxes)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not worth a traceback; anything else was answered with 500 already."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path, _, query = self.path.partition("?")
        path = unquote(urlsplit(path).path if "://" in path else path)
        if path.startswith(CONTROL):
            self.send(control(self.server.sandboxes, self.command, path.removeprefix(CONTROL), body))
            return
        found = self.find(path)
        if found is None:
            self.send(as_json(404, {"error": "no such sandbox", "known": sorted(self.server.sandboxes)}))
            return
        sandbox, path = found
        headers = {name.lower(): value for name, value in self.headers.items()}
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        try:
            answer = sandbox.handle(
                Request(method=self.command, path=path, query=pairs, headers=headers, body=body, target=self.path)
            )
        except Exception as error:  # noqa: BLE001 - a broken sandbox must answer too
            sandbox.store.count("broken")
            answer = as_json(500, {"error": f"the sandbox itself failed: {error!r}"})
        sandbox.store.count("requests")
        sandbox.store.count(f"answers.{answer.status}")
        self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = handle_any  # noqa: N815

    def find(self, path: str) -> tuple[Sandbox, str] | None:
        """The sandbox meant by the path, and the path as the vendor sees it."""
        sandboxes = self.server.sandboxes
        slug, _, rest = path.lstrip("/").partition("/")
        if slug in sandboxes:
            return sandboxes[slug], "/" + rest
        if len(sandboxes) == 1:
            return next(iter(sandboxes.values())), path
        return None

    def send(self, answer: Answer) -> None:
        if answer.delay:
            time.sleep(answer.delay)
        body = b"" if answer.status in NO_BODY else answer.body
        headers = dict(answer.headers)
        if len(body) > GZIP_FROM and answer.cut_after is None and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status not in NO_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.cut_after is None:
            self.wfile.write(body)
            return
        self.wfile.write(body[: answer.cut_after])
        self.wfile.flush()
        self.cut()

    def cut(self) -> None:
        """Reset the connection: closing with a linger of zero sends RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def finish(self) -> None:
        if self.connection.fileno() != -1:
            super().finish()

    def version_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what was asked stands in the counters and in the caller's own exchanges."""


def as_json(status: int, value: Any) -> Answer:
    return Answer(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(value).encode())


def control(sandboxes: Mapping[str, Sandbox], method: str, path: str, body: bytes) -> Answer:
    """Answer one control request; 400 tells what was wrong with it, 404 that there is no such place."""
    slug, _, rest = path.partition("/")
    sandbox = sandboxes.get(slug)
    if sandbox is None:
        return as_json(404, {"error": f"no sandbox {slug!r}", "known": sorted(sandboxes)})
    if (method, rest) == ("GET", "counters"):
        return as_json(200, sandbox.store.counters())
    company, _, what = rest.rpartition("/")
    if method != "POST" or what not in ("edit", "fault", "seed", "setting", "shift"):
        return as_json(404, {"error": f"no control {method} {rest!r}"})
    try:
        given = json.loads(body or b"null")
        for item in given if isinstance(given, list) else [given]:
            do(sandbox, company, what, item)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return as_json(400, {"error": f"{type(error).__name__}: {error}"})
    return as_json(200, {"done": True})


def do(sandbox: Sandbox, company: str, what: str, given: dict[str, Any]) -> None:
    if what == "edit":
        sandbox.edit(company, from_json(Edit, given))
    elif what == "fault":
        sandbox.fault(company, given["switch"], given.get("settings", {}))
    elif what == "seed":
        sandbox.seed(from_json(Books, given["books"]), given.get("access", {}))
    elif what == "setting":
        sandbox.store.set(given["name"], given["value"], company=company or given.get("company", ""))
    else:
        sandbox.store.set("shift", int(sandbox.store.setting("shift", 0)) + int(given["days"]))


@contextmanager
def running(sandboxes: Mapping[str, Sandbox], *, port: int = 0) -> Iterator[str]:
    """Serve beside the caller, for tests: gives the base URL, stops at the end."""
    server = Server(sandboxes, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.base_url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
