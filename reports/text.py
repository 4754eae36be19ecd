"""Texts that people typed: names folded for comparing, meeting numbers read from what was pasted."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

NUMBER = re.compile(r"\d{9,11}", re.ASCII)
# Hyphens and dashes that people and spreadsheets put inside a number, NFKC's own included.
DASHES = re.compile(r"[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


@lru_cache(maxsize=50_000)  # the same few hundred names come again in every meeting
def fold(text: str) -> str:
    """A text as it is compared: NFKC, trimmed, inner white space one blank, casefolded."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


# What stands for a name and a telephone number that were removed. An attendee of a meeting is told from the others by a
# number that means nothing in another meeting; over all meetings they are one name, so that nobody is followed.
REMOVED = "(name removed)"
REMOVED_ONE = re.compile(r"\(name removed\) [1-9]\d*", re.ASCII)
REMOVED_NUMBER = "(number removed)"
REMOVED_NUMBER_OF = re.compile(r"\(number removed(?:: ([A-Z]{2}))?\)", re.ASCII)


@lru_cache(maxsize=50_000)
def name_key(name: str) -> str:
    """A display name as it is compared over many meetings: folded, and one and the same for all that were removed."""
    key = fold(name)
    return REMOVED if REMOVED_ONE.fullmatch(key) else key


def is_removed(name: str) -> bool:
    """Whether a display name is what stands for one that was removed."""
    return name_key(name) == REMOVED


def mentions(text: str, key: str) -> bool:
    """Whether a text holds a folded text as words of its own; Chinese has no gaps between words."""
    begin = r"(?<![a-z0-9])" if key[:1].isascii() and key[:1].isalnum() else ""
    end = r"(?![a-z0-9])" if key[-1:].isascii() and key[-1:].isalnum() else ""
    return re.search(f"{begin}{re.escape(key)}{end}", fold(text)) is not None


def mask(phone_number: str) -> str:
    """A telephone number with its middle hidden: half of its digits at least; some first and the last two stay."""
    places = [place for place, letter in enumerate(phone_number) if letter.isdigit()]
    shown_first = max(0, min(5, len(places) // 2 - 2))
    hidden = set(places[shown_first:-2])
    return "".join("*" if place in hidden else letter for place, letter in enumerate(phone_number))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Meeting numbers found in a text, each once and in its order, and what was none (with its line)."""

    found: tuple[str, ...]
    wrong: tuple[tuple[int, str], ...]


def read_numbers(text: str) -> Numbers:
    """Read meeting numbers (9 to 11 digits) from pasted text, a file or arguments joined by line breaks.

    Numbers are parted by line breaks, tabs, commas or semicolons (full-width ones too) and by blanks.
    Dashes and blanks inside a number are understood: `157-110-6323`, `157 110 6323`. Blanks that
    could be read in two ways are not guessed at: the piece is reported as wrong.
    """
    found: dict[str, None] = {}
    wrong: list[tuple[int, str]] = []
    for line_number, line in enumerate(text.splitlines(), 1):
        plain = DASHES.sub("-", INVISIBLE.sub("", unicodedata.normalize("NFKC", line)))
        for piece in re.split(r"[,;、|\t\"']+", plain):
            groups = piece.split()
            if not groups:
                continue
            readings = _readings(groups)
            if len(readings) == 1:
                found.update(dict.fromkeys(readings[0]))
            else:
                wrong.append((line_number, piece.strip()))
    return Numbers(tuple(found), tuple(wrong))


def _readings(groups: list[str]) -> list[list[str]]:
    """Every way to read blank-parted groups as whole numbers; at most two are looked for."""
    whole = [group.replace("-", "") for group in groups]
    if not all(re.fullmatch(r"\d+", group, re.ASCII) for group in whole):
        return []
    if all(NUMBER.fullmatch(group) for group in whole):
        return [whole]
    # ways[i]: readings of the first i groups. A number written in parts has parts of 2 to 5 digits.
    ways: list[list[list[str]]] = [[] for _ in range(len(whole) + 1)]
    ways[0] = [[]]
    for end in range(1, len(whole) + 1):
        for start in range(max(0, end - 5), end):
            parts = whole[start:end]
            number = "".join(parts)
            solid = len(parts) == 1 or all(2 <= len(part) <= 5 for part in parts)
            if solid and NUMBER.fullmatch(number):
                ways[end] += [[*way, number] for way in ways[start]]
        ways[end] = ways[end][:2]
    return ways[-1]
