"""Moments as text, against datetime's own."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from reports import moments

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones), st.sampled_from([" ", "T"]))
def test_a_moment_is_spelt_as_datetime_spells_it(moment, between):
    expected = moment.astimezone(UTC).replace(tzinfo=None).isoformat(between)
    assert moments.spelt(moment, between) == expected


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_whole_seconds_have_no_fraction(moment):
    whole = moment.replace(microsecond=0)
    assert moments.spelt(whole) == f"{whole:%Y-%m-%d %H:%M:%S}"
