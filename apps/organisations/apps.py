from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrganisationsConfig(AppConfig):
    name = "apps.organisations"
    label = "organisations"
    verbose_name = _("Organisations")

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from apps.organisations import checks  # noqa: F401 - registers the check
        from apps.organisations.middleware import begin_session, signed_in

        user_logged_in.connect(begin_session, dispatch_uid="kontor.begin_session")
        user_logged_in.connect(signed_in, dispatch_uid="kontor.signed_in")
