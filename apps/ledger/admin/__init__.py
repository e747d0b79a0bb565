"""The books to read: nothing in them is changed by hand."""

from apps.ledger.admin import books, evidence

__all__ = ["books", "evidence"]
