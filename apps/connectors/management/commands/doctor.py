"""`manage.py doctor`: examines connections step by step, and says where each ends and what helps."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as translate

from apps.clients.queries import find_client
from apps.connectors.doctor import Report, changed_shapes, examine
from apps.connectors.enums import CheckState
from apps.connectors.models import Connection
from apps.connectors.registry import label_of
from apps.connectors.shapes import words
from apps.core.scope import system_scope
from apps.notifications.actions import Trouble
from apps.notifications.models import Problem


class Command(BaseCommand):
    help = "Examines a client's connections, or all: address, TLS, key, sign-in, rights, company, reading."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", help="the client's number, or SLUG/NUMBER")
        parser.add_argument("--json", action="store_true", help="a line per connection")

    def handle(self, **options: Any) -> None:
        with system_scope("the operator's command"):
            rows = Connection.objects.select_related("client__organisation", "connector__organisation").order_by("pk")
            if options["client"]:
                rows = rows.filter(client=find_client(options["client"]))
            found = list(rows)
            well = bool(found)
            for connection in found:
                report = examine(connection)
                well = well and report.ok
                if options["json"]:
                    self.stdout.write(json.dumps(_values(report), ensure_ascii=False))
                else:
                    self._show(report)
        if not found:
            self.stderr.write("there is no connection to examine")
        if not well:
            raise SystemExit(1)

    def _show(self, report: Report) -> None:
        connection = report.connection
        system = label_of(connection.connector.provider)
        self.stdout.write(f"{connection.client.number} {connection.client} · {system}")
        for found in report.found:
            detail = f" ({found.detail})" if found.detail else ""
            self.stdout.write(f"  {found.check.label}: {found.state.label}{detail}")
            if found.trouble is not None:
                for text in _texts(found.trouble):
                    self.stdout.write(f"    {text}")
        for trouble in report.warnings:
            self.stdout.write(f"  {translate('Warning')}: {_texts(trouble)[0]}")
        for row in changed_shapes(connection):
            self.stdout.write(f"  {translate('Changed')}: {row.place}: {'; '.join(map(words, row.changes))}")


def _values(report: Report) -> dict[str, Any]:
    connection = report.connection
    return {
        "client": connection.client.number,
        "provider": connection.connector.provider,
        "connection": connection.pk,
        "ok": report.ok,
        "checks": [
            {
                "check": found.check.value,
                "state": found.state.value,
                "failure": found.trouble.failure if found.trouble else None,
                "remedy": found.trouble.code if found.trouble else None,
                "field": (found.trouble.field or None) if found.trouble else None,
                "detail": found.detail if found.state != CheckState.NOT_REACHED else "",
            }
            for found in report.found
        ],
        "warnings": [{"remedy": trouble.code, "text": _texts(trouble)[0]} for trouble in report.warnings],
        "changed": [{"place": row.place, "changes": row.changes} for row in changed_shapes(connection)],
    }


def _texts(trouble: Trouble) -> list[str]:
    """The title and the steps in the reader's language."""
    shown = Problem(title_text=trouble.title, step_texts=list(trouble.steps), facts=trouble.facts)
    return [shown.title, *shown.steps]
