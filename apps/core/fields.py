"""Column types of ours: money as whole ten-thousandths, and text and bytes that are encrypted at rest."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError, ValidationError
from django.db import models
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from apps.core.encryption import InvalidToken, ring

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

    # the library carries no types
    EncryptedTextField = models.TextField[str | None, Any]
    EncryptedBinary = models.BinaryField[bytes, bytes]
    WholeNumbers = models.BigIntegerField["Decimal | int | str | Combinable | None", Any]
else:
    from fernet_fields import EncryptedField, EncryptedTextField

    class EncryptedBinary(EncryptedField, models.BinaryField):
        pass

    WholeNumbers = models.BigIntegerField

PLACES = 4
SCALE = 10**PLACES
BEGINS = "gAAAAA"  # every Fernet token
MOST_DIGITS = 15


class AmountError(ValueError):
    """An amount that cannot be held exactly; it is reported, never rounded."""


def to_units(amount: Decimal) -> int:
    """The amount in whole ten-thousandths. Raises AmountError when it has more than four places or is no number."""
    if not amount.is_finite():
        raise AmountError(f"{amount} is not a number")
    if amount.adjusted() > MOST_DIGITS:  # before it is written out in full: 1e999999999 is one, too
        raise AmountError(f"{amount} is too large")
    units = amount.scaleb(PLACES)
    whole = int(units)
    if whole != units:
        raise AmountError(f"{amount} has more than {PLACES} decimal places")
    if not -(2**63) <= whole < 2**63:
        raise AmountError(f"{amount} is too large")
    return whole


def from_units(units: int | Decimal | None) -> Decimal | None:
    """Ten-thousandths back to an amount, with two places at least."""
    if units is None:
        return None
    amount = Decimal(int(units)).scaleb(-PLACES)
    return amount.quantize(Decimal("0.01")) if int(units) % 100 == 0 else amount.normalize()


class AmountField(WholeNumbers):
    """`Decimal` in Python, an integer of ten-thousandths in the database: sums are exact on every database."""

    description = _("Amount")
    if TYPE_CHECKING:
        _pyi_private_set_type: Decimal | int | str | Combinable  # type: ignore[assignment]
        _pyi_private_get_type: Decimal  # type: ignore[assignment]

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:  # noqa: ARG002 - Django's
        return from_units(value)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, float):
            raise ValidationError(_("An amount is never a binary fraction."))
        try:
            return Decimal(value)
        except ArithmeticError as error:
            raise ValidationError(_("This is not an amount.")) from error

    def get_prep_value(self, value: Any) -> int | None:
        if value is None or hasattr(value, "resolve_expression"):
            prepared: int | None = value
            return prepared
        if isinstance(value, float):
            raise TypeError("an amount is never a float")
        return to_units(Decimal(value))

    def formfield(self, **kwargs: Any) -> Any:
        from django import forms

        return models.Field.formfield(self, **{"form_class": forms.DecimalField, "decimal_places": PLACES, **kwargs})

    @property
    def validators(self) -> list[Any]:
        return []  # the range is checked by to_units


class SafeEncryptedText(EncryptedTextField):
    """Encrypted text. The library writes the text of an SQL expression when given one; this refuses (STACK 2)."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return value if _is_bulk_update(value) else super().get_db_prep_save(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:  # noqa: ARG002 - Django's
        return None if value is None else ring().decrypt(bytes(value)).decode()

    def value_to_string(self, obj: Any) -> str:
        """For `dumpdata`, which would write it in clear."""
        return ring().encrypt((self.value_from_object(obj) or "").encode()).decode()

    def to_python(self, value: Any) -> Any:
        """What `dumpdata` wrote is taken back."""
        return _loaded(value, lambda token: ring().decrypt(token).decode())

    @property
    def fernet(self) -> Any:
        return ring()  # the library keeps one per field object, made of the keys of that moment

    @staticmethod
    def token(stored: bytes) -> bytes:
        """The Fernet token in what a column holds; `stored` is its inverse."""
        return stored

    @staticmethod
    def stored(token: bytes) -> bytes:
        return token


class SafeEncryptedBytes(EncryptedBinary):
    """Encrypted bytes: a Fernet token of the same keys without its base64, which would take a third more room."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is None or _is_bulk_update(value):
            return value
        return connection.Database.Binary(self.stored(ring().encrypt(bytes(value))))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:  # noqa: ARG002 - Django's
        return None if value is None else ring().decrypt(self.token(bytes(value)))

    def value_to_string(self, obj: Any) -> str:
        """For `dumpdata`, which would write it in clear."""
        return ring().encrypt(bytes(self.value_from_object(obj))).decode()

    def to_python(self, value: Any) -> Any:
        return _loaded(value, ring().decrypt)

    @staticmethod
    def token(stored: bytes) -> bytes:
        return urlsafe_b64encode(stored)

    @staticmethod
    def stored(token: bytes) -> bytes:
        return urlsafe_b64decode(token)


def _loaded(value: Any, opened: Callable[[bytes], Any]) -> Any:
    if isinstance(value, str) and value.startswith(BEGINS):
        with suppress(InvalidToken):
            return opened(value.encode())
    return value


def _is_bulk_update(value: Any) -> bool:
    """Whether each value inside is encrypted by itself. Raises FieldError for any other expression."""
    if not hasattr(value, "as_sql"):
        return False
    if isinstance(value, models.Case | Cast):
        return True
    raise FieldError("expressions are not allowed on encrypted fields")
