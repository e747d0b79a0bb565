"""Everything that stands anywhere after some nights: the database's bytes, logs, pages, files, tracebacks."""

import base64
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection
from django.test import Client as Browser
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from django_q.models import OrmQ

from apps.clients.models import Client
from apps.connectors.exchanges import body_of
from apps.connectors.models import Connection, Exchange
from apps.connectors.sdk.failures import ConnectorError
from apps.connectors.sessions import open_session
from apps.ledger.models import FiscalYear
from apps.onboarding.models import Batch
from apps.organisations.models import Organisation, User
from tests.conftest import Manage
from tests.office.walk import routes
from tests.sync.canaries import ENTERED, PASSWORD, PLANTED, REFRESH, WRONG, WRONG_PASSWORD, Echo
from tests.sync.visits import Page, addresses, visit

MOST = 2  # rows of a model whose pages are visited
# Where a vendor's words may stand, root visits more.
MORE = dict.fromkeys(
    ("admin:clients_client_change", "admin:connectors_exchange_change", "admin:notifications_problem_change",
     "admin:sync_run_change", "office:connection", "office:connector", "office:onboarding_batch"), 40,
)  # fmt: skip
MORE_OF_ROLE = {"office:connection": 8, "office:connector": 8}
# Each of these pages must show what was planted, by itself.
TELLING = (
    "admin:clients_client_change", "admin:notifications_problem_change", "admin:sync_run_change", "office:balances",
    "office:connection", "office:connector", "office:integration_form", "office:postings",
)  # fmt: skip


@dataclass
class Places:
    """`logs` and `answers` are what other processes wrote and sent; `own` the secrets that Kontor made itself."""

    vendors: dict[str, Echo]
    manage: Manage
    logs: dict[str, Path]
    api_token: str
    own: list[str]
    answers: bytes = b""
    pages: dict[str, list[Page]] = field(default_factory=dict)  # by role
    raised: dict[str, set[str]] = field(default_factory=dict)  # by provider: what was thrown

    @property
    def secrets(self) -> list[str]:
        """Entered, made by Kontor, issued by vendors, and what requests were signed with."""
        found = {*ENTERED.values(), REFRESH, WRONG, PASSWORD, WRONG_PASSWORD, *self.own}
        for vendor in self.vendors.values():
            found |= vendor.issued | vendor.signed
        return sorted(found)

    def answer(self, status: int) -> None:
        """What all vendors answer from now on; 0: properly."""
        for vendor in self.vendors.values():
            vendor.mode, vendor.quiet = status, True

    def all(self) -> Iterator[tuple[str, bytes]]:
        """(name, all that is there), each where something may leak."""
        yield "database", database()
        yield "queue", queue()
        for name, log in self.logs.items():
            yield f"log of {name}", log.read_bytes()
        yield "answers of the web process", self.answers
        yield "exchanges", exchanges()
        yield from self._pages()
        yield "api", b"\n".join(self._api())
        yield from self._files()
        yield "commands", b"\n".join(self._commands())
        yield from self._tracebacks()

    def _pages(self) -> Iterator[tuple[str, bytes]]:
        root = browser_of("root")
        self.pages["root"] = list(visit(root, addresses(MOST, MORE)))
        there = {page.name for page in self.pages["root"] if page.status == 200}
        asked = [(name, address) for name, address in addresses(MOST, MORE_OF_ROLE) if name in there]
        for user in User.objects.filter(email__endswith="@roles.example").exclude(email__startswith="root"):
            role = user.email.partition("@")[0]
            self.pages[role] = list(visit(browser_of(role), asked))
        for role, pages in self.pages.items():
            yield f"pages of {role}", b"".join(page.content for page in pages)
        for page in self.pages["root"]:
            if page.name in TELLING and page.status == 200:
                yield f"page {page.address}", page.content

    def _api(self) -> Iterator[bytes]:
        browser = Browser(headers={"authorization": f"Bearer {self.api_token}"})
        for route in (route for route in routes() if route.is_api):
            numbers = Client.objects.values_list("number", flat=True)
            for values in [(number,) for number in numbers] if route.parameters else [()]:
                yield browser.get(route.filled(values)).content

    def _files(self) -> Iterator[tuple[str, bytes]]:
        yield "dumpdata", self.manage("dumpdata", "--indent", "1").stdout.encode()
        owner = browser_of("owner")
        clients = sorted(set(FiscalYear.objects.values_list("client", flat=True)))
        links = [f"/admin/clients/client/{pk}/balances/?as=csv" for pk in clients]
        for pk in Organisation.objects.values_list("pk", flat=True):
            links += [f"/admin/onboarding/clients/{pk}.csv?form={form}" for form in ("spreadsheet", "plain")]
        links += [
            f"/admin/onboarding/{pk}/report.csv"
            for pk in Batch.objects.filter(origin="file").values_list("pk", flat=True)
        ]
        for link in links:
            answer = owner.get(link)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8"), link
            yield f"file {link}", answer.content

    def _commands(self) -> Iterator[bytes]:
        self.answer(403)
        for arguments in (("doctor",), ("rotate_keys",)):
            done = self.manage(*arguments, check=False)
            yield f"{done.stdout}{done.stderr}".encode()

    def _tracebacks(self) -> Iterator[tuple[str, bytes]]:
        """As a mail to the operator has them, and as the page that DEBUG brings: with the request, frame by frame."""
        request = RequestFactory().post("/admin/", {"api_key": WRONG, "customer_key": WRONG})
        texts, pages = bytearray(), bytearray()
        for status in (403, 0):
            self.answer(status)
            for held in Connection.objects.select_related("connector"):
                error = _thrown(held)
                self.raised.setdefault(held.connector.provider, set()).add(type(error).__name__)
                reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
                texts += reporter.get_traceback_text().encode()
                pages += reporter.get_traceback_html().encode()
        yield "tracebacks as text", bytes(texts)
        yield "tracebacks as pages", bytes(pages)


def _thrown(held: Connection) -> ConnectorError | ValueError:
    session = None
    try:
        session = open_session(held)
        session.provider.verify(session)
        secrets = dict(session.values)
        raise ValueError(f"{PLANTED} {session!r} {session.held_tokens!r} {len(secrets)}")  # noqa: TRY301 - caught here
    except (ConnectorError, ValueError) as error:
        return error
    finally:
        if session is not None:
            session.transport.close()


def browser_of(role: str) -> Browser:
    browser = Browser(raise_request_exception=False)
    browser.force_login(User.objects.get(email=f"{role}@roles.example"))
    return browser


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
    found = bytearray()
    for row in Exchange.objects.select_related("payload"):
        found += f"{row.place} {row.url} {row.request} {row.error}\n".encode()
        found += (body_of(row) or b"") + b"\n"
    return bytes(found)
