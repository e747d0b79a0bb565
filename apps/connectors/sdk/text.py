"""Marks visible texts of providers for translation; they are translated when shown, never here."""


def _(text: str) -> str:
    return text
