"""Runs to read, and the state of clients in words: `status` for many in one query, `state` for its sentence."""

from apps.sync.admin import runs

__all__ = ["runs"]
