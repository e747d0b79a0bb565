"""How many vouchers may be gone at once before nothing is deleted without a person's word (LEDGER 2)."""

from django.conf import settings


def too_many(gone: int, held: int) -> bool:
    """Whether deleting `gone` of `held` vouchers is more than a night's, or a file's, ordinary news."""
    if gone > settings.KONTOR_DELETE_MOST:
        return True
    return bool(gone >= settings.KONTOR_DELETE_SOME and gone * 100 > settings.KONTOR_DELETE_PERCENT * held)
