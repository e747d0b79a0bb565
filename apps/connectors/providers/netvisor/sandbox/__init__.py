"""A stateful imitation of the Netvisor web service, its reading part: `make_sandbox(store)`."""

from apps.connectors.providers.netvisor.sandbox.service import make_sandbox

__all__ = ["make_sandbox"]
