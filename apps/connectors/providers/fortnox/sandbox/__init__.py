"""A stateful imitation of the Fortnox API 3, reading part: `make_sandbox(store)`."""

from apps.connectors.providers.fortnox.sandbox.service import make_sandbox

__all__ = ["make_sandbox"]
