"""`manage.py connector list|verify|discover|read|get`: a provider tried by hand. Touches no database."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as translate

from apps.connectors import standalone
from apps.connectors.sdk import remedies
from apps.connectors.sdk.declaration import Provider
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.queries import UnsupportedQueryError
from apps.connectors.sdk.session import Session
from apps.connectors.standalone import Summary
from apps.records.json import to_json
from apps.records.ledger import Record

WRONG_USE, FAILED = 2, 1


class Command(BaseCommand):
    help = "Tries a provider without a database: list, verify, discover, read, get."
    requires_system_checks = ()  # it works before the database is made

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="list|verify|discover|read|get")
        for name in ("list", "verify", "discover", "read", "get"):
            sub = what.add_parser(name)
            sub.add_argument("--json", action="store_true", help="JSON Lines, and one JSON line at the end of stderr")
            if name == "list":
                continue
            sub.add_argument("--provider", required=True, metavar="SLUG")
            sub.add_argument("--values", required=True, metavar="FILE.json")
            if name in ("read", "get"):
                sub.add_argument("--resource", required=True)
                sub.add_argument("--raw", action="store_true", help="with the vendor's own payload")
            if name == "read":
                sub.add_argument("--from", dest="start", metavar="YYYY-MM-DD", help="first day")
                sub.add_argument("--to", dest="end", metavar="YYYY-MM-DD", help="last day, included")
                sub.add_argument("--since", metavar="CURSOR")
                sub.add_argument("--limit", type=_positive, metavar="N")
            if name == "get":
                sub.add_argument("--id", dest="ids", required=True, action="append")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = bool(options["json"])
        self.raw = bool(options.get("raw"))
        try:
            if options["what"] == "list":
                for line in standalone.listing():
                    self._line(line)
            else:
                self._ask(options)
            self.stdout.flush()
        except standalone.WrongUseError as error:
            raise CommandError(str(error), returncode=WRONG_USE) from error
        except BrokenPipeError:
            # the reader has enough; nothing more may be written, not even when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)

    def _ask(self, options: dict[str, Any]) -> None:
        provider = standalone.provider_named(options["provider"])
        task = self._task(provider, options)  # wrong use is told before anything is sent
        given = standalone.values_of(options["values"])
        session: Session | None = None
        try:
            session = standalone.session_for(provider, given, path=options["values"])
            summary = task(session)
        except ConnectorError as error:
            self._failed(error)
        except (BrokenPipeError, standalone.WrongUseError):
            raise
        except UnsupportedQueryError as error:
            raise standalone.WrongUseError(str(error)) from error
        except Exception as error:  # noqa: BLE001 - a provider's own fault is told like any other failure
            mask = session.masker.text if session is not None else str
            self.stderr.write(mask(traceback.format_exc()))
            detail = mask(f"{type(error).__name__}: {error}")
            self._failed(ConnectorError(Failure.UNKNOWN, remedies.NOT_UNDERSTOOD, detail=detail))
        self.stdout.flush()
        self._tell(summary)
        if not summary.complete:
            sys.exit(FAILED)

    def _task(self, provider: Provider, options: dict[str, Any]) -> Callable[[Session], Summary]:
        if options["what"] == "verify":
            return lambda session: self._shown(session, lambda: [provider.verify(session)])
        if options["what"] == "discover":
            discover = provider.discover
            if discover is None:
                raise standalone.WrongUseError(f"{provider.slug} cannot list the companies that a key reaches")
            return lambda session: self._shown(session, lambda: discover(session))
        _resource, endpoint = standalone.endpoint_of(provider, options["resource"], options["what"])
        if options["what"] == "get":
            return lambda session: standalone.get(session, endpoint, options["ids"], self._record)
        query = standalone.query_of(options["start"], options["end"], options["since"])
        return lambda session: standalone.read(session, endpoint, query, options["limit"], self._record)

    def _shown(self, session: Session, found: Callable[[], Iterable[Record]]) -> Summary:
        summary = Summary()
        for record in found():
            self._record(record)
            summary.records += 1
        summary.complete, summary.requests = True, session.requests
        return summary

    def _record(self, record: Record) -> None:
        self._line(to_json(record, raw=self.raw))

    def _line(self, values: dict[str, Any]) -> None:
        if self.as_json:
            self.stdout.write(json.dumps(values, ensure_ascii=False, default=str))
            return
        self.stdout.write("  ".join(f"{name}: {_plain(value)}" for name, value in values.items()))

    def _tell(self, summary: Summary) -> None:
        last = asdict(summary)
        for warning in last.pop("warnings"):
            self.stderr.write(translate(warning))
        if self.as_json:
            self.stderr.write(json.dumps(last, ensure_ascii=False))
            return
        parts = [f"{summary.records} records, {summary.requests} requests"]
        parts += [f"gone: {gone['resource']} {gone['external_id']}" for gone in summary.gone]
        if summary.cursor:
            parts.append(f"cursor: {summary.cursor}")
        parts.append("complete" if summary.complete else "NOT COMPLETE")
        self.stderr.write(", ".join(parts))

    def _failed(self, error: ConnectorError) -> NoReturn:
        self.stdout.flush()
        self._tell_failure(error)
        sys.exit(FAILED)

    def _tell_failure(self, error: ConnectorError) -> None:
        if self.as_json:
            self.stderr.write(json.dumps(standalone.failure(error), ensure_ascii=False))
            return
        texts = [error.remedy.title, *error.remedy.steps]
        lines = [_filled(translate(text), error.facts) for text in texts]
        if error.detail:
            lines.append(error.detail)
        self.stderr.write("\n".join([*lines, f"{error.failure.value} {error.remedy.code}"]))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _filled(text: str, facts: dict[str, str]) -> str:
    for name, value in facts.items():
        text = text.replace("{" + name + "}", value)
    return text


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return (
            " ".join(str(item) for item in value) if all(isinstance(item, str) for item in value) else f"{len(value)}"
        )
    return str(value)
