"""How figures, days and times are written, in both languages; unknown is a dash."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from dashboard.pages import telephony
from dashboard.templatetags import ledger
from reports.filter import Filter
from reports.models import TelephonyUsage
from reports.text import mask
from tests.support import meeting, take

LANGUAGES = ("en", "zh-hans")
AT = datetime(2026, 3, 9, 16, 5, 7, tzinfo=UTC)  # in Shanghai already the tenth
FILTERS = (
    "minutes",
    "hours",
    "hours2",
    "money",
    "price",
    "count",
    "percent",
    "day",
    "moment",
    "exact",
    "clock",
    "month",
)


def shown(name: str, value: object, language: str = "en") -> str:
    """A value as a template writes it."""
    with translation.override(language):
        return Template(f"{{% load ledger %}}{{{{ value|{name} }}}}").render(Context({"value": value}))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FILTERS)
def test_unknown_is_a_dash(name, language):
    assert shown(name, None, language) == "–"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        *(
            ("minutes", 0, "0.0"),
            ("minutes", 90, "1.5"),
            ("minutes", 93, "1.6"),
            ("minutes", 86_400_000, "1,440,000.0"),
        ),
        ("minutes", timedelta(minutes=5, seconds=1), "5.0"),
        *(("hours", 5400, "1.5"), ("hours", 180, "0.1"), ("hours", 179, "0.0"), ("hours", 36_000_000, "10,000.0")),
        *(("hours2", 54, "0.02"), ("hours2", 5400, "1.50"), ("hours2", 0, "0.00")),
        *(
            ("money", Decimal("1234.5"), "¥1,234.50"),
            ("money", Decimal("0.125"), "¥0.125"),
            ("money", Decimal(0), "¥0.00"),
        ),
        *(("money", Decimal("-1234.5"), "-¥1,234.50"), ("money", Decimal("0.000001"), "¥0.000001")),
        *(("money", Decimal("1E+3"), "¥1,000.00"), ("money", Decimal("1.100"), "¥1.10")),
        *(("price", Decimal("0.1235"), "¥0.124"), ("price", Decimal("1234"), "¥1,234.000")),
        *(("count", 0, "0"), ("count", 1_234_567, "1,234,567")),
        *(
            ("percent", 0, "0.0%"),
            ("percent", 0.1234, "12.3%"),
            ("percent", 0.0005, "0.1%"),
            ("percent", 1.0, "100.0%"),
        ),
        ("percent", 12.5, "1,250.0%"),
    ],
)
def test_numbers_are_written_alike_in_both_languages(name, value, text, language):
    assert shown(name, value, language) == text


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        ("day", "10 Mar 2026", "2026年3月10日"),
        ("moment", "10 Mar 2026, 00:05", "2026年3月10日 00:05"),
        ("exact", "10 Mar 2026 00:05:07", "2026年3月10日 00:05:07"),
        ("clock", "00:05:07", "00:05:07"),
    ],
)
def test_moments_are_local_in_a_template(name, english, chinese):
    assert (shown(name, AT), shown(name, AT, "zh-hans")) == (english, chinese)


def test_days_and_months():
    day = date(2026, 3, 9)
    assert (shown("day", day), shown("day", day, "zh-hans")) == ("9 Mar 2026", "2026年3月9日")
    assert (shown("month", day), shown("month", day, "zh-hans")) == ("Mar 2026", "2026年3月")


def test_the_start_of_a_call_is_local_on_the_page_of_calls(db):
    take(meeting())
    [row] = telephony.call_rows(list(TelephonyUsage.objects.all()), Filter())
    assert row[0].text == "9 Mar 2026, 10:05"


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        *(("CN", "China", "中国"), ("US", "United States", "美国"), ("DE", "Germany", "德国")),
        *(("XX", "XX", "XX"), ("", "–", "–")),
    ],
)
def test_countries(code, english, chinese):
    assert (shown("country", code), shown("country", code, "zh-hans")) == (english, chinese)


def test_telephone_numbers():
    assert shown("phone", "+8613912345678") == mask("+8613912345678")
    assert shown("phone:False", "+8613912345678") == "+8613912345678"
    assert shown("phone", "") == shown("phone:False", "") == "–"


@given(st.integers(0, 10**9))
def test_minutes_and_hours_are_rounded_half_up(seconds):
    for name, size, places in (("minutes", 60, 1), ("hours", 3600, 1), ("hours2", 3600, 2)):
        text = getattr(ledger, name)(seconds)
        assert len(text.partition(".")[2]) == places
        # Doubled and in whole steps, so that nothing is rounded here.
        step = size * 2
        assert int(text.replace(",", "").replace(".", "")) == (seconds * 10**places * 2 + size) // step


@given(st.decimals(-(10**8), 10**8, places=6))
def test_money_is_written_exactly(amount):
    text = ledger.money(amount)
    assert Decimal(text.replace("¥", "").replace(",", "")) == amount
    assert len(text.partition(".")[2]) >= 2
