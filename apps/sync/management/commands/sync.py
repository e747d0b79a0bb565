import json
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.clients.models import Client
from apps.clients.queries import find_client
from apps.core.scope import organisation_scope, system_scope
from apps.ledger.models import LedgerState
from apps.sync.actions import start_sync
from apps.sync.engine import work
from apps.sync.enums import LIVE, RunState
from apps.sync.models import Run

LOOK_SECONDS = 0.3


class Command(BaseCommand):
    help = "Synchronizes a client's data, or every client's. With --wait this process works the runs itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--client", help="the client's number, or SLUG/NUMBER")
        which.add_argument("--all", action="store_true")
        parser.add_argument("--from", dest="first", type=date.fromisoformat)
        parser.add_argument("--to", dest="last", type=date.fromisoformat)
        parser.add_argument("--days", type=int)
        parser.add_argument(
            "--wait", action="store_true", help="until the runs have ended; exit 1 if one did not end well"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        first, last, days = options["first"], options["last"], options["days"]
        if days is not None and (first or last):
            raise CommandError("--days goes without --from and --to", returncode=2)
        if days is not None and days < 0:
            raise CommandError("--days is a number of days back from today", returncode=2)
        if (first or last) and not (first and last and first <= last):
            raise CommandError("--from and --to go together, the earlier first", returncode=2)
        with system_scope("the operator's command"):
            clients = list(Client.objects.order_by("pk")) if options["all"] else [find_client(options["client"])]
            runs: list[Run] = []
            for client in clients:
                started = start_sync(client=client, actor=None, days=days, window_from=first, window_to=last)
                if not started and not options["all"]:
                    raise CommandError(f"client {client.number} has no ledger feed; activate a connector first")
                runs += started
        if options["wait"]:
            for run in runs:
                wait_for(run)
        self._tell(runs, as_json=options["json"])
        if options["wait"] and any(run.state != RunState.SUCCEEDED for run in runs):
            raise SystemExit(1)

    def _tell(self, runs: list[Run], *, as_json: bool) -> None:
        with system_scope("the operator's command"):
            for run in runs:
                state = LedgerState.objects.filter(client=run.client).select_related("proof").first()
                proof = state.proof if state else None
                told = {
                    "run": run.pk,
                    "client": run.client.number,
                    "state": run.state,
                    "failure": run.failure or None,
                    "remedy": run.remedy or None,
                    "counts": run.counts,
                    "grade": proof.grade if proof else None,
                    "control_difference": f"{proof.control_difference:.2f}" if proof else None,
                }
                if as_json:
                    self.stdout.write(json.dumps(told))
                else:
                    grade = proof.get_grade_display() if proof else "–"
                    reason = f" ({run.remedy})" if run.remedy else ""
                    self.stdout.write(f"{run.client.number} {run.client}: {run.get_state_display()}{reason}; {grade}")


def wait_for(run: Run) -> None:
    """Until the run has ended. Works its slices here where no worker was faster; both claim, so neither does it twice."""
    organisation = run.client.organisation_id
    with organisation_scope({organisation}, "the operator's command"):
        while run.state in LIVE:
            if run.state != RunState.QUEUED or work(run.pk) is None:
                time.sleep(LOOK_SECONDS)
            run.refresh_from_db()
