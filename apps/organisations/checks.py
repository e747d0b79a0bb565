"""A start-up check: the admin shows no model of ours that the table of rights does not know."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.checks import CheckMessage, Error, register

from apps.organisations.rights import RIGHTS


@register()
def rights_are_told(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:  # noqa: ARG001 - Django's signature
    return [
        Error(
            f"{model._meta.label} is in the admin, but organisations.rights does not say who may see it.",
            hint="Add it to RIGHTS with the actions and the roles that may do them.",
            id="kontor.E013",
        )
        for model in admin.site._registry  # noqa: SLF001 - there is no other way to ask
        if model.__module__.startswith("apps.") and model._meta.label_lower not in RIGHTS
    ]
