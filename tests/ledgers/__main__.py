"""`python -m tests.ledgers [CHECKOUT]`: keep a small ledger of the schema of this checkout, or of another one.

It pulls nine days of a small company from the sandbox, with the code of that checkout, and writes what it keeps into
tests/data/ledgers. Ledgers that hold a migration which this checkout does not know (any more) are dropped.
"""

import gzip
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from reports.sandbox.server import Sandbox
from reports.sandbox.world import World
from tests.ledgers import KEPT, dump, load, schema

# An editable installation looks for what a checkout lacks in its own folder: not for an older one.
ALONE = """
import runpy, sys
sys.meta_path = [one for one in sys.meta_path if "ditable" not in getattr(one, "__name__", type(one).__name__)]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
ROOT = Path(__file__).resolve().parent.parent.parent
MOMENT = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
DAYS = ("--from", "2026-03-01", "--to", "2026-03-09")


def known(checkout: Path) -> set[tuple[str, str]]:
    """The migrations that a checkout has."""
    return {
        (app, file.stem) for app in ("reports", "dashboard") for file in (checkout / app / "migrations").glob("0*.py")
    }


def make(checkout: Path) -> Path:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World(seed=11, meetings_per_day=6), key="key", secret="secret", clock=lambda: MOMENT) as api,
    ):
        names = ("DATABASE_", "CELERY_", "UMEET_", "DATA_DIR", "TIME_", "OPENING_", "DJANGO_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        environment |= {
            "DATA_DIR": folder,
            "UMEET_URL": api.url,
            "UMEET_API_KEY": "key",
            "UMEET_API_SECRET": "secret",
            "PYTHONPATH": str(checkout),
        }

        def manage(*arguments: str) -> None:
            command = [sys.executable, "-c", ALONE, str(checkout / "manage.py"), *arguments]
            subprocess.run(command, env=environment, cwd=checkout, check=True, stdout=subprocess.DEVNULL)

        manage("migrate", "-v0")
        numbers = api.world.numbers(MOMENT.date(), MOMENT.date())[:5]
        manage("track", *numbers)
        manage("pull", *numbers)
        manage("pull", *DAYS)
        database = Path(folder) / "roomledger.sqlite3"
        applied = schema(database)
        newest = [max((name for held, name in applied if held == app), default="") for app in ("reports", "dashboard")]
        file = KEPT / f"{'-'.join(name for name in newest if name)}.sql.gz"
        KEPT.mkdir(parents=True, exist_ok=True)
        # No time in it: the same ledger is the same file.
        file.write_bytes(gzip.compress(dump(database).encode(), mtime=0))
    return file


def drop_strange() -> None:
    for file in KEPT.glob("*.sql.gz"):
        with tempfile.TemporaryDirectory() as folder:
            load(file, Path(folder) / "database")
            strange = schema(Path(folder) / "database") - known(ROOT)
        if strange:
            print(f"dropped: {file.name} holds {sorted(strange)[0][1]}")  # noqa: T201
            file.unlink()


if __name__ == "__main__":
    made = make(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    print(f"kept: {made.name}, {made.stat().st_size / 1000:.0f} kB")  # noqa: T201
    drop_strange()
