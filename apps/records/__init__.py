"""Canonical, provider-neutral records: what every provider reads into (shared/RECORDS.md). No Django here."""
