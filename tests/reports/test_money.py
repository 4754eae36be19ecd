"""Amounts of money as they are kept."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.fields import MoneyField
from reports.money import UNIT, millionths


@given(st.integers(-(10**15), 10**15))
def test_an_amount_is_kept_exactly(whole):
    amount = Decimal(whole).scaleb(-6)
    assert millionths(amount) == whole == MoneyField().get_prep_value(amount)
    assert Decimal(whole) / UNIT == amount == MoneyField().from_db_value(whole)


@pytest.mark.parametrize("amount", ["0.0000001", "-12.3456789"])
def test_nothing_is_rounded(amount):
    with pytest.raises(ValueError, match="more than 6 decimal places"):
        millionths(Decimal(amount))
