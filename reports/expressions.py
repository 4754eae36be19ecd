"""What the database computes of a kept text, alike in an index and in the queries that are to use it.

An index over an expression, or over some rows only, serves the queries that repeat it to the letter. So every
number here is part of the statement, none is a parameter.
"""

from typing import Any

from django.db.models import BooleanField, Func, TextField

# PostgreSQL takes no more than 2,704 bytes into one entry of an index, and a character has up to 4.
LONGEST = 500


class Topic(Func):
    """The folded topic of what a meeting keeps for the search: all before its first line break."""

    arity = 1
    output_field = TextField()  # type: ignore[assignment]
    # A cast makes it a text to SQLite, which else compares it with no other text by an index.
    template = "CAST(SUBSTR(%(expressions)s, 1, INSTR(%(expressions)s, CHAR(10)) - 1) AS text)"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="SPLIT_PART(%(expressions)s, CHR(10), 1)", **extra)


class Short(Func):
    """Whether a text is short enough for an index of whole texts."""

    arity = 1
    output_field = BooleanField()  # type: ignore[assignment]
    template = f"(LENGTH(%(expressions)s) <= {LONGEST})"


class Long(Func):
    """Whether a text is too long for it: such rows have an index of their own, to be read one by one."""

    arity = 1
    output_field = BooleanField()  # type: ignore[assignment]
    template = f"(LENGTH(%(expressions)s) > {LONGEST})"
