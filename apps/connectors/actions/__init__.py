"""Writes of connectors: keyword-only, one transaction each, audit line inside; calls to vendors outside of it."""

from apps.connectors.actions.activation import (
    Activation,
    Confirmation,
    activate,
    activate_connection,
    activate_shared,
    verify_connector,
)
from apps.connectors.actions.connections import (
    block_connection,
    confirm_company,
    connect,
    credential_works,
    stop_connection,
)
from apps.connectors.actions.discovery import discover_companies, is_credential_at_fault, lists_companies
from apps.connectors.actions.numbers import BOOKS_HIDDEN, books_hidden, change_organisation_number, release_books
from apps.connectors.troubles import trouble_of

__all__ = [
    "BOOKS_HIDDEN",
    "Activation",
    "Confirmation",
    "activate",
    "activate_connection",
    "activate_shared",
    "block_connection",
    "books_hidden",
    "change_organisation_number",
    "confirm_company",
    "connect",
    "credential_works",
    "discover_companies",
    "is_credential_at_fault",
    "lists_companies",
    "release_books",
    "stop_connection",
    "trouble_of",
    "verify_connector",
]
