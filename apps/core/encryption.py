"""The keys in use: the first of FERNET_KEYS encrypts, all of them decrypt. Made once per process and list of keys."""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from fernet_fields import hkdf

__all__ = ["InvalidToken", "newest", "ring"]


def ring() -> MultiFernet:
    """Encrypts with the newest key, decrypts with any."""
    return _rings(tuple(settings.FERNET_KEYS))[1]


def newest() -> Fernet:
    """The newest key alone: what it cannot decrypt was encrypted with another."""
    return _rings(tuple(settings.FERNET_KEYS))[0]


@cache
def _rings(keys: tuple[str, ...]) -> tuple[Fernet, MultiFernet]:
    made = [Fernet(hkdf.derive_fernet_key(key)) for key in keys]
    return made[0], MultiFernet(made)
