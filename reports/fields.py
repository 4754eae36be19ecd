"""A column for money that adds up exactly on every database."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models

from reports.money import PLACES, UNIT, millionths

if TYPE_CHECKING:
    WholeNumber = models.BigIntegerField[Decimal | str | int | None, Decimal | None]
else:
    WholeNumber = models.BigIntegerField


class MoneyField(WholeNumber):
    """Decimal yuan in Python, whole millionths of a yuan in the database.

    SQLite has no decimal type: its sums of decimals are sums of floating-point numbers. Whole numbers
    are summed exactly by every database, and `Sum()` of this field comes back as Decimal. Values with
    more than six decimal places raise ValueError: nothing is rounded in silence.
    """

    CENT = 10 ** (PLACES - 2)

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        if value is None:
            return None
        if value % self.CENT == 0:  # nearly all; a page reads thousands
            return Decimal(int(value) // self.CENT).scaleb(-2)
        return tidy(Decimal(value) / UNIT)

    def to_python(self, value: Any) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(str(value))

    def get_prep_value(self, value: Any) -> int | None:
        return None if value is None else millionths(Decimal(value))

    def get_internal_type(self) -> str:
        return "BigIntegerField"


def tidy(amount: Decimal) -> Decimal:
    """The same amount with two decimal places, or as many more as it needs."""
    amount = amount.normalize()
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent > -2:
        return amount.quantize(Decimal("0.01"))
    return amount
