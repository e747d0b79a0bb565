import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.core.scope import system_scope
from apps.sync.retention import purge_all


class Command(BaseCommand):
    help = "Removes what has been kept long enough: raw data of calls, begun consents, finished tasks. Runs daily by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only tell what would go")
        parser.add_argument("--json", action="store_true", help="a line per kind, and one for all")

    def handle(self, **options: Any) -> None:
        dry_run = options["dry_run"]
        total = 0
        with system_scope("the operator's command"):
            for purged in purge_all(timezone.now(), dry_run=dry_run):
                total += purged.rows
                if options["json"]:
                    told = asdict(purged)
                    del told["finished"]
                    self.stdout.write(json.dumps(told))
                else:
                    self.stdout.write(f"{purged.what}, after {purged.days} days: {purged.rows}")
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": dry_run, "rows": total}))
        elif dry_run:
            self.stdout.write(f"{total} rows would go; nothing was changed.")
