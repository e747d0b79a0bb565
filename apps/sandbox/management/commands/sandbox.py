import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.sandbox.server import Server
from apps.sandbox.serving import open_sandboxes, providers_of, seed, stories


class Command(BaseCommand):
    help = "Serves the sandboxes of all providers on 127.0.0.1, filled with the demo's companies the first time."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8900, help="0 takes a free one")
        parser.add_argument("--folder", type=Path, help="where the sandboxes keep their files")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_args: Any, port: int, folder: Path | None, **options: Any) -> None:
        folder = folder or Path(settings.LOCAL_DIR) / "sandbox"
        new = not folder.exists()
        told = stories(timezone.now()) if new or not options["json"] else []  # making their books takes a while
        slugs = providers_of(told) or sorted(path.stem for path in folder.glob("*.sqlite3"))
        sandboxes = open_sandboxes(folder, slugs)
        if new:
            seed(sandboxes, told)
        server = Server(sandboxes, port)
        if options["json"]:
            self.stdout.write(json.dumps({"base_url": server.base_url, "providers": slugs}))
        else:
            self._tell(server.base_url, told)
        self.stdout.flush()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()

    def _tell(self, base_url: str, told: list[Any]) -> None:
        self.stdout.write(f"Sandboxes at {base_url}; every company and key here is made up. Ctrl-C ends.")
        for story in told:
            for slug, fields in story.operator.items():
                self.stdout.write(f"  {slug}: {base_url}/{slug}  {dict(fields)}")
            for connector in story.connectors:
                self.stdout.write(f"  {connector.label}: {dict(connector.values)}")
            for client in story.clients:
                if not client.connector.key:
                    self.stdout.write(f"  {client.name}: {dict(client.connector.values)}")
