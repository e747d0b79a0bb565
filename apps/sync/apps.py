from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SyncConfig(AppConfig):
    name = "apps.sync"
    label = "sync"
    verbose_name = _("Sync")

    def ready(self) -> None:
        from apps.sync.pulse import watch_own_tasks

        watch_own_tasks()
