"""A stateful imitation of the Tripletex API 2: `make_sandbox(store)`."""

from apps.connectors.providers.tripletex.sandbox.service import make_sandbox

__all__ = ["make_sandbox"]
