"""Answers of the API that went wrong: records changed at random, written as JSON that need not be any.

Everything comes from one seed, so that what was found once is found again.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support import call, meeting, visit


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON text that is written as it stands, valid or not."""

    text: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object whose names may come more than once."""

    pairs: tuple[tuple[str, Any], ...]


def dump(value: Any) -> str:
    """JSON text. Unlike json.dumps it takes what is none."""
    match value:
        case Raw():
            return value.text
        case Pairs():
            return "{" + ", ".join(f"{json.dumps(name)}: {dump(item)}" for name, item in value.pairs) + "}"
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(name))}: {dump(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(dump, value)) + "]"
        case _:
            return json.dumps(value)


NUMBERS = (
    *(None, True, False, 0, 1, -1, 2, 1.5, -0.0, 10**9, 10**18, 10**30, -(10**30), 2**31, 2**63, 527_040, 99999999999),
    *map(
        Raw,
        (
            *("NaN", "Infinity", "-Infinity", "1e999999", "-1E+9999999999999", "1e-999999", "9" * 399, "9" * 5000),
            *("0.1234567", "1e5", "1E2", "-0", "12345678901234567890.123456789", "0." + "3" * 4000),
        ),
    ),
)
TEXTS = (
    *(
        "",
        " ",
        "\t\r\n",
        "\x00",
        "a\x00b",
        "\x1b[31m",
        "\u202e\u2066x",
        "\ufeff",
        "e\u0301" * 40,
        "𝕏" * 200,
        "x" * 100_000,
    ),
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "';alert(1)//", "{{7*7}}", "{% now 'Y' %}"),
    *("'; DROP TABLE reports_meeting; --", "=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "%s%n{0}", "../../etc/passwd"),
    *("null", "NaN", "undefined", "true", "0x10", "１２３", "1,234.50", "¥", "¥0.12元", "6分钟", "99:99", "-01:25"),
    *("1:2:3:4", "1e5", "0.00000000001", "9" * 13, "9" * 4000, "1.000.000"),
)
SURROGATES = (Raw('"\\ud800"'), Raw('"x\\udfffy"'), Raw('"\\ude00\\ud83d"'), Raw('"\\ud83d\\ude00 ok"'))
TIMES = (
    *(
        "2026-02-30 10:00:00",
        "2026-13-01 00:00:00",
        "0000-00-00 00:00:00",
        "9999-12-31 23:59:59",
        "1969-12-31 23:59:59",
    ),
    *("2000-01-01 00:00:00", "2100-12-31 23:59:59", "2101-01-01", "2026-03-09T25:61:00Z", "2026-03-09T10:00:00+99:99"),
    *(
        "2026-03-09T10:00:00-23:59",
        "2026-03-09 24:00:00",
        "2026-03-09 23:59:60",
        "2026/3/9 9:05",
        "2026-3-9",
        "10:00:00",
    ),
    *("２０２６-03-09 10:00:00", "2026-03-09 10:00:00.123456789123", "Mon, 09 Mar 2026 10:00:00 GMT", "1773021600"),
    *(1773021600, 1773021600000, "2026-03-09 10:00:00 Asia/Shanghai", "2026-03-09T10:00:00ZZ", "2026-03-29 02:30:00"),
)
LONE = "\x00\u200b\u0301\u202e'\"<>&\\/=:-,.%{}[]０9٣Éß𝕏 \t\n"


def nested(depth: int, opens: str = "[", closes: str = "]") -> Raw:
    return Raw(opens * depth + closes * depth)


def hostile(random: Random) -> Any:
    """Any value at all, mostly one that does not belong where it is put."""
    match random.randrange(12):
        case 0 | 1 | 2:
            return random.choice(NUMBERS)
        case 3 | 4 | 5:
            return random.choice(TEXTS)
        case 6:
            return random.choice(SURROGATES)
        case 7 | 8:
            return random.choice(TIMES)
        case 9:
            return random.choice(([], {}, [[]], [None], [{}], {"a": 1}, [1, "x", None], {"": {"": {}}}))
        case 10:
            return (
                nested(random.choice((2, 20, 90, 300)))
                if random.random() < 0.9
                else nested(random.choice((1500, 20_000)))
            )
        case _:
            depth = random.choice((3, 80, 400))
            return Raw('{"a":' * depth + "1" + "}" * depth)


def bent(text: str, random: Random) -> str:
    """A text with a letter more, less or another."""
    place = random.randrange(len(text) + 1)
    match random.randrange(5):
        case 0:
            return text[:place] + random.choice(LONE) + text[place:]
        case 1:
            return text[:place] + text[place + 1 :]
        case 2:
            return text[:place] + random.choice(LONE) + text[place + 1 :]
        case 3:
            return text[:place]
        case _:
            return text[:place] + text[place:][::-1]


def record(uuid: str, random: Random) -> dict[str, Any]:
    """A readable meeting with some visits and calls."""
    visits = [visit(f"name {n}", f"10:{n:02}:00", f"10:{n + 20:02}:30") for n in range(random.randrange(5))]
    calls = [call("+8613912345678", "10:05:00", "10:15:00", 10, 0.6) for _ in range(random.randrange(3))]
    changes = {"participants": visits, "telephony_usage": calls, "host_id": f"HOST-{random.randrange(9)}"}
    return meeting(uuid=uuid, meeting_id=str(random.randrange(10**9, 10**10)), **changes)


def changed(item: Any, random: Random) -> Any:
    """The record with one or a few things of it changed."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        item = _changed(item, random)
    return item


def _changed(item: Any, random: Random) -> Any:
    match item:
        case dict() if item and random.random() < 0.9:
            names = list(item)
            name = random.choice(names)
            match random.randrange(10):
                case 0:
                    return {key: value for key, value in item.items() if key != name}
                case 1:
                    return Pairs((*item.items(), (name, hostile(random))))
                case 2:
                    return {**item, random.choice((*TEXTS, name.upper(), "joinTime", "name", "total")): hostile(random)}
                case 3:
                    other = random.choice(names)
                    return {**item, name: item[other], other: item[name]}
                case 4 | 5 | 6 if isinstance(item[name], dict | list) and item[name]:
                    return {**item, name: _changed(item[name], random)}
                case 4 | 5 if isinstance(item[name], str):
                    return {**item, name: bent(item[name], random)}
                case _:
                    return {**item, name: hostile(random)}
        case list() if item and random.random() < 0.9:
            place = random.randrange(len(item))
            match random.randrange(6):
                case 0:
                    return item[:place] + item[place + 1 :]
                case 1:
                    return [*item, item[place]]
                case 2:
                    return [*item[:place], hostile(random), *item[place + 1 :]]
                case _:
                    return [*item[:place], _changed(item[place], random), *item[place + 1 :]]
        case Pairs():
            return Pairs(
                tuple((name, hostile(random) if random.random() < 0.2 else value) for name, value in item.pairs)
            )
        case _:
            return hostile(random)


def array_item(item: dict[str, Any]) -> dict[str, Any]:
    """The same record as the later revision of the API spells it."""
    visits = [
        {"user_name": one["name"], "joinTime": one["join_time"], "leaveTime": one["leave_time"]}
        for one in item["participants"]
    ]
    kept = {name: item[name] for name in ("uuid", "start_time", "end_time", "duration")}
    return {**kept, "id": item["meeting_id"], "host": "Room", "email": "room@example.com", "participants": visits}


def broken(body: bytes, random: Random) -> bytes:
    """A whole answer that was damaged on its way."""
    place = random.randrange(len(body))
    match random.randrange(6):
        case 0:
            return body[:place]
        case 1:
            return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]
        case 2:
            return body[:place] + body[random.randrange(len(body)) :]
        case 3:
            return body.decode().encode(random.choice(("utf-16", "utf-8-sig", "utf-32")))
        case 4:
            return body + random.choice((b"}", b"\x00", body, b" ", b"null"))
        case _:
            return random.choice(
                (b"", b"null", b"[]", b"{}", b"true", b"<html>", b'"x"', b"\xff\xfe", b"[" * 50_000, b"1")
            )
