from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.sync.supervisor import Supervisor


class Command(BaseCommand):
    help = "Runs this host's workers, all lanes, until SIGTERM; then lets what is running end."

    def handle(self, **_options: Any) -> None:
        code = Supervisor(settings.KONTOR_LANES).run()
        if code:
            raise SystemExit(code)
