"""What the operator's environment says about connectors. Read when asked for, so that a test or the demo may set it.

CONNECTOR_<SLUG>_<FIELD>: a provider's operator fields. CONNECTOR_<SLUG>_BASE_URL: another address for a provider.
CONNECTOR_ALLOW_PRIVATE_HOSTS: host:port, ... that may be private and speak plain HTTP.
"""

import os

from django.conf import settings

from apps.connectors.sdk.declaration import Provider
from apps.connectors.sdk.transport import Transport

PRIVATE_HOSTS = "CONNECTOR_ALLOW_PRIVATE_HOSTS"


def variable(slug: str, name: str) -> str:
    return f"CONNECTOR_{slug}_{name}".upper()


def operator_value(slug: str, name: str) -> str:
    return os.environ.get(variable(slug, name), "").strip()


def private_hosts() -> frozenset[str]:
    listed = os.environ.get(PRIVATE_HOSTS, "").split(",")
    return frozenset(host.strip() for host in (*listed, *settings.CONNECTOR_ALLOW_PRIVATE_HOSTS) if host.strip())


def base_url(slug: str) -> str | None:
    return operator_value(slug, "BASE_URL") or None


def transport(provider: Provider) -> Transport:
    """The way to the provider, or to where the operator points it."""
    return Transport(provider, override=base_url(provider.slug), allow_private=private_hosts())
