"""A small ledger of every schema that there has been, as SQL: what a newer version has to be able to take over."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

KEPT = Path(__file__).resolve().parent.parent / "data" / "ledgers"


def dump(database: Path) -> str:
    """A SQLite database as statements that make it anew. Text indexes are made of their texts again."""
    said = []
    with closing(sqlite3.connect(database)) as read:
        made = read.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        virtual = [name for _kind, name, sql in made if sql.startswith("CREATE VIRTUAL")]
        # Tables that a virtual one keeps for itself.
        hidden = {name for _kind, name, _sql in made if any(name.startswith(f"{one}_") for one in virtual)}
        hidden = {name for name in hidden if not any(kind == "trigger" and name == n for kind, n, _ in made)}
        for kind, name, sql in made:
            if kind != "table" or name in hidden or name.startswith("sqlite_"):
                continue
            said.append(f"{sql};")
            if name not in virtual:
                rows = read.execute(f'SELECT * FROM "{name}"')
                said += [f'INSERT INTO "{name}" VALUES ({", ".join(map(_literal, row))});' for row in rows]
        said += [f"INSERT INTO {name} ({name}) VALUES ('rebuild');" for name in virtual]
        said += [f"{sql};" for kind, _name, sql in made if kind in {"index", "trigger", "view"}]
    return "\n".join(said) + "\n"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def load(kept: Path, database: Path) -> None:
    """Make a database of a kept ledger."""
    with closing(sqlite3.connect(database)) as write:
        write.executescript(f"BEGIN;\n{gzip.decompress(kept.read_bytes()).decode()}COMMIT;")


def schema(database: Path) -> set[tuple[str, str]]:
    """The migrations of ours that a database holds."""
    with closing(sqlite3.connect(database)) as read:
        rows = set(read.execute("SELECT app, name FROM django_migrations WHERE app IN ('reports', 'dashboard')"))
    return rows
