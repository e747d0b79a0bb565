"""`manage.py loaddata` for every bureau: outside a tenant scope a query of ours fails."""

from typing import Any

from django.core.management.commands import loaddata

from apps.core.scope import system_scope


class Command(loaddata.Command):
    def handle(self, *labels: Any, **options: Any) -> None:
        with system_scope("loaddata, by the operator"):
            super().handle(*labels, **options)
