"""`manage.py ledger import|recalculate|balances`."""

import json
import os
import re
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.clients.models import Client
from apps.clients.queries import find_client
from apps.core.scope import system_scope
from apps.formats.sie import MAX_BYTES, SieError
from apps.ledger.balances import recalculate_all, recalculate_touched
from apps.ledger.files import FileRefusedError, Outcome
from apps.ledger.models import DimensionItem, DimensionSet
from apps.ledger.periods import text_of
from apps.ledger.reports import AMOUNTS, trial_balance
from apps.sync.imports import import_ledger_file, refuse_hidden

WRONG_USE, FAILED = 2, 1
USUAL = ("department", "project", "cost_centre", "cost_unit", "employee")  # asked for in any books (RECORDS)


class Command(BaseCommand):
    help = "Ledger files, recalculation and balances of a client."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="import|recalculate|balances")
        for name in ("import", "recalculate", "balances"):
            sub = what.add_parser(name)
            sub.add_argument("--client", required=True, metavar="NR", help="the client's number, or SLUG/NUMBER")
            sub.add_argument("--json", action="store_true", help="JSON Lines")
            if name == "import":
                sub.add_argument("file", metavar="FILE", type=Path)
                sub.add_argument("--replace", action="store_true", help="take over days that belong to another source")
            elif name == "recalculate":
                sub.add_argument("--full", action="store_true", help="every balance, not only what was touched")
            else:
                sub.add_argument("--from", dest="first", required=True, type=_period, metavar="YYYY-MM")
                sub.add_argument("--to", dest="last", required=True, type=_period, metavar="YYYY-MM")
                sub.add_argument("--by", default="account", metavar="account,department")

    def handle(self, **options: Any) -> None:
        self.as_json = bool(options["json"])
        with system_scope("the operator's command"):
            client = find_client(options["client"])
            if options["what"] != "recalculate":
                try:
                    refuse_hidden(client)
                except FileRefusedError as error:
                    self._fail(error.code, str(error))
            run = {"import": self._import, "recalculate": self._recalculate, "balances": self._balances}
            try:
                run[options["what"]](client, options)
                self.stdout.flush()
            except BrokenPipeError:
                # the reader has enough; nothing more may be written, not even when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(FAILED)

    def _import(self, client: Client, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)  # one more than is taken: what is larger is refused, not cut
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}", returncode=WRONG_USE) from error
        try:
            outcome = import_ledger_file(
                client=client, name=path.name, data=data, actor=None, replace=options["replace"]
            )
        except SieError as error:
            self._fail(error.problems[0].code, str(error))
        except FileRefusedError as error:
            self._fail(error.code, str(error))
        else:
            self._tell(outcome)

    def _fail(self, code: str, detail: str) -> None:
        self.stderr.style_func = None
        if self.as_json:
            told = {"failure": "record", "remedy": code, "field": None, "detail": detail, "retry_after": None}
            self.stderr.write(json.dumps(told, ensure_ascii=False))
        else:
            self.stderr.write(detail)
        sys.exit(FAILED)

    def _tell(self, outcome: Outcome) -> None:
        if self.as_json:
            self.stdout.write(json.dumps(outcome.as_json(), ensure_ascii=False))
            return
        self.stdout.write(f"{outcome.accounts} accounts, {outcome.vouchers} vouchers, {outcome.postings} postings")
        for one in outcome.kept_out:
            number = f"{one['series']} {one['number']}".strip()
            self.stdout.write(f"kept out: voucher {number} of {one['date']}, off by {one['difference']}")
        for difference in outcome.differences:
            self.stdout.write(f"differs: account {difference['account']}, file minus ours {difference['amount']}")
        for warning in outcome.warnings:
            self.stdout.write(f"note: {warning}")
        self.stdout.write(str(outcome.grade.label))

    def _recalculate(self, client: Client, options: dict[str, Any]) -> None:
        cells = recalculate_all(client) if options["full"] else recalculate_touched(client)
        if self.as_json:
            self.stdout.write(json.dumps({"client": client.number, "full": options["full"], "cells": cells}))
        else:
            self.stdout.write(f"{client.number} {client}: {cells} balances recalculated")

    def _balances(self, client: Client, options: dict[str, Any]) -> None:
        if options["first"] > options["last"]:
            raise CommandError("--from is later than --to", returncode=WRONG_USE)
        dimensions = _dimensions(client, options["by"])
        if not self.as_json:
            heads = ("account", "period", *dimensions, *AMOUNTS)
            self.stdout.write("\t".join(heads))
        for row in trial_balance(client, options["first"], options["last"], dimensions):
            if self.as_json:
                self.stdout.write(json.dumps(row.as_json(), ensure_ascii=False))
            else:
                codes = [row.dimensions[kind] or "" for kind in dimensions]
                amounts = [format(getattr(row, name), "f") for name in AMOUNTS]
                self.stdout.write("\t".join([row.account, text_of(row.period), *codes, *amounts]))


def _period(text: str) -> int:
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-3])", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is not a period such as 2026-03")
    return int(found[1] + found[2])


def _dimensions(client: Client, by: str) -> list[str]:
    """The dimensions named in `--by`; one that neither the client nor the vocabulary has is wrong use."""
    asked = [name.strip() for name in by.split(",") if name.strip() and name.strip() != "account"]
    known = {*USUAL, *DimensionItem.objects.filter(client=client).values_list("kind", flat=True).distinct()}
    for items in DimensionSet.objects.filter(client=client).values_list("items", flat=True):
        known.update(items)
    unknown = [name for name in asked if name not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise CommandError(
            f"--by {unknown[0]}: the client has no such dimension; there are {names}", returncode=WRONG_USE
        )
    return asked
