"""Pasted meeting numbers and folded names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import fold, read_numbers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1571106323,1579334441", ["1571106323", "1579334441"]),
        ("1571106323，1579334441；1790001234、123456789", ["1571106323", "1579334441", "1790001234", "123456789"]),
        ("157-110-6323", ["1571106323"]),
        ("157 110 6323", ["1571106323"]),
        ("157 110 6323 157 933 4441", ["1571106323", "1579334441"]),
        ("1571106323 1579334441", ["1571106323", "1579334441"]),
        ("１５７１１０６３２３", ["1571106323"]),
        ("157–110—6323", ["1571106323"]),
        ("\ufeff1571106323\r\n\r\n 1571106323 \r\n", ["1571106323"]),
        ("1571106323\t1579334441", ["1571106323", "1579334441"]),
        ('"1571106323";"1579334441"', ["1571106323", "1579334441"]),
        ("", []),
        (" ,,; \n", []),
    ],
)
def test_spellings_of_numbers(text, found):
    numbers = read_numbers(text)
    assert (list(numbers.found), numbers.wrong) == (found, ())


@pytest.mark.parametrize("piece", ["abc", "12345678", "123456789012", "1571106323x", "+8613912345678", "12 34"])
def test_what_is_no_number_is_told_with_its_line(piece):
    numbers = read_numbers(f"1571106323\n{piece}")
    assert numbers.found == ("1571106323",)
    assert numbers.wrong == ((2, piece),)


def test_blanks_with_two_readings_are_not_guessed_at():
    # 9 digits and 2 more, or one number of 11?
    assert read_numbers("157110632 31").wrong == ((1, "157110632 31"),)
    # Five groups of five: no reading at all, or several.
    assert read_numbers("12345 12345 12345").wrong


@given(st.lists(st.integers(10**8, 10**11 - 1), max_size=30))
def test_whatever_parts_them_numbers_come_back_once_and_in_order(numbers):
    wanted = list(dict.fromkeys(str(number) for number in numbers))
    for glue in (",", "\n", "，", " ; ", "\t", "\r\n"):
        assert list(read_numbers(glue.join(str(number) for number in numbers)).found) == wanted


def test_names_that_look_alike_fold_to_one():
    assert fold(" ＡＮＮＡ\u3000 Kowalski ") == fold("Anna kowalski") == "anna kowalski"
    assert fold("王伟") != fold("王玮")


@given(st.text())
def test_folding_has_no_white_space_around_and_is_case_blind(text):
    folded = fold(text)
    assert folded == folded.strip()
    assert "  " not in folded
