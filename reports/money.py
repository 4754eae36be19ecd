"""Amounts of money as whole numbers, which every database adds up exactly."""

from decimal import Decimal

PLACES = 6
UNIT = Decimal(10) ** PLACES


def millionths(amount: Decimal) -> int:
    """Whole millionths of an amount. Errors: ValueError for more than six decimal places; nothing is rounded."""
    scaled = amount * UNIT
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more than {PLACES} decimal places")
    return int(scaled)
