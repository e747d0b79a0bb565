"""Every provider there is: our folders, the entry points `kontor.providers`, and KONTOR_PROVIDER_PACKAGES."""

import importlib
import os
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from apps.connectors import providers as our_folder
from apps.connectors.sdk.declaration import Provider

ENTRY_POINTS = "kontor.providers"
PACKAGES_VARIABLE = "KONTOR_PROVIDER_PACKAGES"


@cache
def all_providers() -> dict[str, Provider]:
    """Provider by slug. Raises ImportError or ValueError naming a folder that is broken; a system check reports it."""
    modules = [
        f"{our_folder.__name__}.{entry.name}" for entry in pkgutil.iter_modules(our_folder.__path__) if entry.ispkg
    ]
    modules += [name.strip() for name in os.environ.get(PACKAGES_VARIABLE, "").split(",") if name.strip()]
    modules += [entry.value for entry in entry_points(group=ENTRY_POINTS)]
    found: dict[str, Provider] = {}
    for name in modules:
        provider = importlib.import_module(f"{name}.provider").PROVIDER
        if provider.slug != name.rsplit(".", 1)[-1]:
            raise ValueError(f"{name}: the slug {provider.slug!r} is not the folder's name")
        if provider.slug in found:
            raise ValueError(f"{name}: there are two providers called {provider.slug!r}")
        found[provider.slug] = provider
    return found


def provider(slug: str) -> Provider:
    """Raises KeyError naming the known ones."""
    known = all_providers()
    if slug not in known:
        raise KeyError(f"there is no provider {slug!r}; there are: {', '.join(sorted(known))}")
    return known[slug]


def label_of(slug: str) -> str:
    """The provider's label, or its slug where it is not installed."""
    known = all_providers()
    return known[slug].label if slug in known else slug
