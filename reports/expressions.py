"""What the database computes of a kept text, alike in an index and in the queries that are to use it.

An index over an expression, or over some rows only, serves the queries that repeat it to the letter. So every
number here is part of the statement, none is a parameter.
"""

from typing import Any

from django.db.models import BooleanField, Func, TextField
from django.db.models.lookups import In

# Texts of so many characters are long. PostgreSQL takes no more than 2,704 bytes into one entry of an index,
# and a character has up to 4.
LONG = 500


class Topic(Func):
    """The folded topic of what a meeting keeps for the search, all before its first line break; of a long one the head.

    A text shorter than LONG is this of just the meetings whose whole topic it is.
    """

    arity = 1
    output_field = TextField()
    # A cast makes it a text to SQLite, which else compares it with no other text by an index.
    template = f"CAST(SUBSTR(%(expressions)s, 1, MIN(INSTR(%(expressions)s, CHAR(10)) - 1, {LONG})) AS text)"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"LEFT(SPLIT_PART(%(expressions)s, CHR(10), 1), {LONG})"
        return self.as_sql(compiler, connection, template=template, **extra)


class Short(Func):
    """Whether a text is short enough for an index of whole texts."""

    arity = 1
    output_field = BooleanField()
    template = f"(LENGTH(%(expressions)s) < {LONG})"


class Long(Func):
    """Whether a text is too long for it: such rows have an index of their own, to be read one by one."""

    arity = 1
    output_field = BooleanField()
    # No text has a thousand million characters: PostgreSQL takes a range for rare, and what is open for a third.
    template = f"(LENGTH(%(expressions)s) BETWEEN {LONG} AND 1000000000)"


class AmongFew(In):
    """IN a subquery whose rows are few, whatever the database would guess, so that it begins with them.

    PostgreSQL cannot know how many texts contain another one, guesses high and reads whole tables. Of an array
    it assumes ten elements; more of them only cost what they are.
    """

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return f"= ANY (ARRAY{rhs})" if connection.vendor == "postgresql" else super().get_rhs_op(connection, rhs)
