"""Addresses that nobody typed: every page and CSV with fields that fit, fit nearly, or do not fit at all."""

from random import Random
from urllib.parse import quote, quote_plus

from reports.exports import TABLES
from reports.filter import BOOKED, SERIES, STATES
from tests.fuzz.answers import LONE, bent

PAGES = (
    *("/", "/pool/", "/booked/", "/series/", "/rooms/", "/meetings/", "/telephony/", "/people/", "/data/"),
    *("/reconciliation/", "/views/", "/views/save/", "/mail/", "/mail/new/", "/budgets/", "/budgets/new/"),
    *("/data/progress/", "/data/freshness/", "/accounts/login/", "/setup/", "/healthz", "/language/"),
)
# With a part that comes from outside.
NAMED = (
    *("/rooms/{}/", "/people/{}/", "/series/number/{}/", "/series/topic/{}/", "/meetings/{}/", "/views/{}/"),
    *("/mail/unsubscribe/{}/", "/setup/{}/", "/budgets/{}/", "/mail/{}/", "/{}", "/static/{}"),
)
CSV = tuple(f"/{name}.csv" for name in TABLES)
DAYS = (
    *("2026-03-01", "2026-03-31", "2025-01-01", "1900-01-01", "9000-12-31", "1899-12-31", "9999-12-31", "0001-01-01"),
    *(
        "2026-02-29",
        "2024-02-29",
        "2026-3-1",
        "２０２６-03-01",
        "2026-03-01T10",
        "yesterday",
        "-2026-03-01",
        "20260301",
    ),
)
FITTING = {
    "from": DAYS,
    "to": DAYS,
    "period": ("7d", "30d", "90d", "12m", "month", "last-month", "year", "all"),
    "room": ("H0", "H1", "H2", "HOST-1", "nobody"),
    "q": ("周", "例会", "anna", "157", "an", "a", "100%", "_", "' OR 1=1 --", "\\", "%", '"', "AND", "NEAR(a b)", "a*"),
    "state": STATES,
    "extra": ("0", "1"),
    "calls": ("0", "1"),
    "weekday": tuple("1234567"),
    "hour": ("0", "9", "23", "007"),
    "type": ("call-out", "-"),
    "country": ("CN", "-", "XX"),
    "phone": ("+8613912345678", "-"),
    "priced": ("0", "1"),
    "uuid": ("abc+/DEF12345678==", "q1"),
    "name": ("anna", " ", "王伟"),
    "number": ("157000000", "1571106323"),
    "topic": ("周例会", " "),
    "during": ("2026-03-09T10", "1900-01-01T00", "9000-12-31T23", "2026-03-09T24"),
    "booked": BOOKED,
    "by": SERIES,
    "present": ("1", "50", "100", "0", "101"),
    "compare": ("0", "1"),
    "sort": ("-start_time", "room", "-meetings", "name", "minutes", "-cost", "-", "--room", "start_time;"),
    "page": ("1", "2", "999999999", "1000000000", "01"),
    "bom": ("0", "1"),
    "raw": ("0", "1"),
    "next": ("/", "//evil.example/", "https://evil.example/", "javascript:alert(1)"),
    "path": ("/", "/meetings/", "/nowhere/", "//evil.example/"),
    "query": ("period=all", "period=never", "%00", "q=%ff"),
    "unknown": ("x",),
}
ODD = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1e9",
        "9" * 30,
        "9" * 400,
        "١",
        "³",
        "½",
        "NaN",
        "null",
        "None",
        "true",
        "[]",
        "a" * 201,
        "a" * 5000,
    ),
    *(
        "\x00",
        "a\x00b",
        "\ufffd",
        "\u202e",
        "\u200b",
        "e\u0301" * 30,
        "𝕏",
        "İ",
        "ß" * 200,
        "\r\nSet-Cookie: a=b",
        "<b>",
        "{{7*7}}",
    ),
    *("'", '"', "../..", "..", ".", "//", "\\", "%", "%%", "%s", "$1", "; DROP TABLE x", "=1+1", "\x1b[0m", "a\n\tb"),
)
# What no form sends.
BROKEN = ("%", "%zz", "%ff", "%ed%a0%80", "%00", "&&&", "=", "=x", "a=b=c", ";", "?", "q", "q[]=1", "%F0%9F", "+", "#")


def value(name: str, random: Random) -> str:
    """A value of a field: one that fits, one that nearly does, or an odd one."""
    fitting = random.choice(FITTING.get(name, ("x",)))
    draw = random.random()
    if draw < 0.62:
        return fitting
    return bent(fitting, random) if draw < 0.8 else random.choice(ODD)


def query(random: Random) -> tuple[str, list[str]]:
    """A query string and the names that stand in it."""
    names = random.choices(list(FITTING), k=random.choice((1, 1, 2, 2, 3, 4, 8)))
    parts = [f"{name}={quote_plus(value(name, random))}" for name in names]
    if random.random() < 0.12:
        parts.append(random.choice(BROKEN))
    if random.random() < 0.01:
        parts += [f"room={number}" for number in range(1100)]
    random.shuffle(parts)
    return "&".join(parts), names


def address(random: Random) -> tuple[str, list[str]]:
    """An address and the names in its query."""
    draw = random.random()
    if draw < 0.5:
        path = random.choice(PAGES)
    elif draw < 0.75:
        path = random.choice(CSV)
    else:
        part = random.choice((*ODD, "H0", "anna", "1", "157000000", random.choice(LONE), "1" * random.randrange(1, 40)))
        path = random.choice(NAMED).replace("{}", quote(part, safe="/" if random.random() < 0.3 else ""))
    text, names = query(random)
    return (f"{path}?{text}", names) if random.random() < 0.95 else (path, [])
