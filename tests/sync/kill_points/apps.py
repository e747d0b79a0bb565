from django.apps import AppConfig


class KillPointsConfig(AppConfig):
    name = "tests.sync.kill_points"
    label = "kill_points"

    def ready(self) -> None:
        from tests.sync.kill_points import set_up

        set_up()
