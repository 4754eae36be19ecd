"""Cards: the figure, its change, its line."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from dashboard import cards, usage_cards
from dashboard.templatetags import ledger
from reports.figures import occupancy, usage
from reports.filter import Filter
from tests.support import NOW, call, meeting, take

MARCH_9 = date(2026, 3, 9)


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (110, 100, "+10.0%"),
        (90, 100, "−10.0%"),
        (100, 100, "±0.0%"),
        (100_001, 100_000, "±0.0%"),
        (1999, 2000, "−0.1%"),  # half is rounded away from zero
        (1, 3, "−66.7%"),
        (200, 100, "+100%"),
        (5000, 1, "+499,900%"),
        (0, 7, "−100%"),
        (Decimal("1.10"), Decimal("1.00"), "+10.0%"),
        (0.25, 0.125, "+100%"),
        (5, 0, ""),
        (0, 0, ""),
        (None, 5, ""),
        (5, None, ""),
        (0.0, 0.5, "−100%"),
    ],
)
def test_a_change_in_percent(now, before, text):
    assert cards.change(now, before) == text


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_change_has_the_sign_of_the_difference(now, before):
    text = cards.change(now, before)
    shown = Decimal(text[1:-1].replace(",", ""))
    exact = (Decimal(now) - before) / before * 100
    assert abs(abs(exact) - shown) <= Decimal("0.5" if abs(exact) >= 100 else "0.05")
    assert text[0] == ("±" if shown == 0 else "+" if now > before else "−")
    assert text[-1] == "%"


def points(text):
    return [tuple(float(part) for part in pair.split(",")) for pair in text.split()]


@given(st.lists(st.none() | st.integers(0, 10**12) | st.decimals(0, 10**6, places=2), max_size=60))
def test_a_line_stays_in_its_box_and_passes_over_what_is_unknown(values):
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    found = points(cards.spark(values))
    if len(known) < 2:
        assert found == []
        return
    assert len(found) == len(known)
    most = max(value for _place, value in known)
    for (place, value), (x, y) in zip(known, found, strict=True):
        assert abs(x - 100 * place / (len(values) - 1)) <= 0.05 + 1e-9
        assert 1 <= y <= 23
        assert abs((23 - y) / 22 - (float(value) / float(most) if most else 0)) <= 0.05 / 22 + 1e-9


def test_a_line_of_nothing_lies_on_the_ground():
    assert cards.spark([0, 0, 0]) == "0.0,23.0 50.0,23.0 100.0,23.0"
    assert cards.spark([4, None, 2]) == "0.0,1.0 100.0,12.0"
    assert cards.spark([None, 3]) == cards.spark([]) == ""


def test_what_cards_are_compared_with():
    before = Filter(first=date(2026, 2, 28), last=date(2026, 3, 4))
    assert cards.against(None, Filter(compare=True)) == cards.Against("", False)
    assert cards.against(before, Filter()) == cards.Against("28 Feb 2026 – 4 Mar 2026", False)
    assert cards.against(before, Filter(compare=True)).spell_out
    with translation.override("zh-hans"):
        assert cards.against(before, Filter()).days == "2026年2月28日 – 2026年3月4日"


def test_a_card_tells_its_change_only_against_a_period():
    alone = cards.compared("x", "X", 1500, 1000, ledger.count, cards.Against("", False), hint="kept")
    assert (alone.value, alone.change, alone.change_hint, alone.hint) == ("1,500", "", "", "kept")
    past = cards.compared("x", "X", 1500, 1000, ledger.count, cards.Against("then", False), hint="kept")
    assert (past.change, past.change_hint, past.hint) == ("+50.0%", "1,000 in the previous period, then", "kept")
    spelt = cards.compared("x", "X", 1500, 1000, ledger.count, cards.Against("then", True), hint="kept")
    assert (spelt.change, spelt.hint) == ("+50.0%", "before: 1,000")
    unknown = cards.compared("x", "X", None, None, ledger.count, cards.Against("then", True))
    assert (unknown.value, unknown.change, unknown.hint) == ("–", "", "before: –")


# Of a selection of meetings --------------------------------------------------------------------------------

NAMES = ("meetings", "used_hours", "attendees", "peak_concurrent_rooms", "extra_meetings", "call_cost", "utilisation")


def shown(chosen, before=None):
    days = usage.days(chosen, NOW)
    return {card.figure: card for card in usage_cards.usage_cards(NAMES, chosen, before, days, NOW)}


def test_the_cards_of_a_selection(db):
    take(
        meeting(uuid="a", telephony_usage=[call("1", "10:00:00", "10:01:00", 1, "1234.5")]),
        meeting(uuid="b", host_id="HOST-2", is_extra=1, participants=[], telephony_usage=[]),
        meeting(uuid="c", start_time="2026-03-08 10:00:00", end_time="2026-03-08 10:30:00", participants=None),
    )
    chosen, before = Filter(first=MARCH_9, last=MARCH_9), Filter(first=date(2026, 3, 8), last=date(2026, 3, 8))
    found = shown(chosen, before)
    assert {name: (card.value, card.change) for name, card in found.items()} == {
        "meetings": ("2", "+100%"),
        "used_hours": ("1.0", ""),  # the day before is unreported
        "attendees": ("2", ""),
        "peak_concurrent_rooms": ("2", "+100%"),
        "extra_meetings": ("1", ""),
        # The call of the meeting of the day before was on the ninth too.
        "call_cost": ("¥1,235.10", ""),
        "utilisation_percent": ("22.2%", ""),
    }
    assert found["meetings"].hint == "0 running · 1 empty"
    assert found["call_cost"].hint == "2 calls"
    assert found["used_hours"].change_hint.startswith("– in the previous period")
    assert occupancy.peak(chosen, NOW) == 2


def test_the_cards_of_silent_meetings_show_no_zero(db):
    take(meeting(participants=None, telephony_usage=None, is_extra=None))
    found = shown(Filter(first=MARCH_9, last=MARCH_9))
    unknown = {name for name, card in found.items() if card.value == "–"}
    assert unknown == {"used_hours", "attendees", "extra_meetings", "call_cost"}
    assert found["attendees"].hint == "1 meeting not reported"


def test_unpriced_calls_are_told_on_the_card_of_the_cost(db):
    take(
        meeting(
            telephony_usage=[call("1", "10:00:00", "10:01:00", 1, None), call("2", "10:00:00", "10:01:00", 1, "0.5")]
        )
    )
    card = shown(Filter(first=MARCH_9, last=MARCH_9))["call_cost"]
    assert (card.value, card.hint) == ("¥0.50", "1 call unpriced")


def test_the_cards_of_nothing_are_zero(db):
    found = shown(Filter(first=date(2026, 3, 7), last=date(2026, 3, 8)))
    assert {name: card.value for name, card in found.items()} == {
        **dict.fromkeys(("meetings", "attendees", "peak_concurrent_rooms", "extra_meetings"), "0"),
        "used_hours": "0.0",
        "call_cost": "¥0.00",
        "utilisation_percent": "–",  # a weekend: no opening hours
    }
