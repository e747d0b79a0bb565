"""`manage.py dumpdata` for every bureau: outside a tenant scope a query of ours fails."""

from typing import Any

from django.core.management.commands import dumpdata

from apps.core.scope import system_scope


class Command(dumpdata.Command):
    def handle(self, *labels: Any, **options: Any) -> None:
        with system_scope("dumpdata, by the operator"):
            super().handle(*labels, **options)
