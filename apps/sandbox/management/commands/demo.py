import json
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from apps.core.scope import system_scope
from apps.organisations.models import Organisation
from apps.sandbox.demo import OWNER_PASSWORD, Demo
from apps.sandbox.serving import (
    PORT,
    SandboxProcess,
    open_sandboxes,
    point_providers,
    providers_of,
    seed,
    stories,
)
from apps.sandbox.story import story_slugs

FAULTS = ("drop-voucher", "drop-page", "one-cent", "hide-account")


class Command(BaseCommand):
    help = "Shows Kontor at work: three made-up bureaus, sandboxes over HTTP, two nights, then the pages."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-server", action="store_true", help="end after the summary")
        parser.add_argument("--reset", action="store_true", help="begin again: empties this database of the demo")
        parser.add_argument("--port", type=int, default=PORT)
        parser.add_argument("--fault", choices=FAULTS, help="one client's source misbehaves from the first load on")
        parser.add_argument("--provider", help="with --fault: a client of this provider")
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("the demo does not run with KONTOR_ENV=production", returncode=2)
        if options["provider"] and not options["fault"]:
            raise CommandError("--provider goes with --fault", returncode=2)
        say = (lambda _text: None) if options["json"] else self._say
        told = stories(timezone.now())
        if options["provider"] not in (None, *providers_of(told)):
            raise CommandError(f"no client uses {options['provider']}", returncode=2)
        with system_scope("the demo's whole database"):
            # Looked at before it is changed: this may be a database that people work with.
            if Organisation._meta.db_table in connection.introspection.table_names():
                self._refuse_others(story_slugs())
            call_command("migrate", verbosity=0)
            self._make_room(reset=options["reset"])
        folder = Path(settings.LOCAL_DIR) / "demo-sandbox"
        slugs = providers_of(told)
        shutil.rmtree(folder, ignore_errors=True)
        say(f"Sandboxes: {', '.join(slugs)}; {sum(len(story.companies) for story in told)} companies")
        sandboxes = open_sandboxes(folder, slugs)
        seed(sandboxes, told, options["port"])
        for one in sandboxes.values():
            one.store.set("auto_approve", False)  # people answer its consent pages
        sandbox = SandboxProcess(folder)
        sandbox.start()
        point_providers(sandbox.base_url, told)
        demo = Demo(told=told, sandbox=sandbox, say=say)
        try:
            with system_scope("the demo's whole database"):
                summary = self._nights(demo, options, say)
            if options["json"]:
                self.stdout.write(json.dumps(summary))
            else:
                self._tell(summary)
            self.stdout.flush()
            if not options["no_server"]:
                self._serve(options["port"], told)
        finally:
            demo.stop_worker()
            sandbox.stop()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _refuse_others(self, slugs: list[str]) -> None:
        other = Organisation.objects.exclude(slug__in=slugs).values_list("slug", flat=True).first()
        if other is not None:
            raise CommandError(
                f"this database holds another organisation ({other}): the demo wants one of its own; "
                "set DATABASE_URL to another database",
                returncode=2,
            )

    def _make_room(self, *, reset: bool) -> None:
        if not Organisation.objects.exists():
            return
        if not reset:
            raise CommandError("the demo is in this database already; --reset begins again", returncode=2)
        call_command("flush", interactive=False, verbosity=0)

    def _nights(self, demo: Demo, options: dict[str, Any], say: Any) -> dict[str, Any]:
        if options["fault"]:
            number = demo.fault(options["fault"], options["provider"])
            say(f"Fault {options['fault']} at client {number}")
        say("Set-up, each connector activated:")
        demo.set_up()
        demo.start_worker()
        say("First load:")
        first = demo.night(1)
        say("Between the nights: edits, deletions, re-dating and back-dating in the sources")
        demo.edit()
        say("Second night:")
        return demo.summary([first, demo.night(2)])

    def _tell(self, summary: dict[str, Any]) -> None:
        self._say(
            f"{summary['clients_complete']} of {summary['clients']} clients agree with their source; "
            f"{summary['vouchers']} vouchers, {summary['postings']} postings; "
            f"control difference {summary['control_difference']}."
        )
        self._say("The books moved in the second night: " + ", ".join(f"{n} {k}" for k, n in summary["moved"].items()))
        for problem in summary["problems"]:
            self._say(f"  needs a hand: {problem['code']}, clients {', '.join(problem['clients'])}")

    def _serve(self, port: int, told: list[Any]) -> None:
        command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}"]
        command += ["--workers", "1", "--threads", "4", "--timeout", "120", "--log-level", "warning"]
        server = subprocess.Popen(command, cwd=settings.BASE_DIR)  # noqa: S603 - our own program
        self._say(f"Pages: http://127.0.0.1:{port}/admin/   Ctrl-C ends.")
        if not settings.KONTOR_TWO_FACTOR:
            self._say("  The password is enough here: the second step is off in the demo, on in production.")
        for story in told:
            self._say(f"  {story.organisation.name}: owner@{story.organisation.slug}.example / {OWNER_PASSWORD}")

        def stop(_number: int, _frame: object) -> None:
            server.terminate()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        server.wait()
