"""One file that holds the whole ledger, and the way back from it.

A backup is of one moment and may be made while everything runs. A restore is made ready beside the present
database, checked and migrated there, and takes its place in one step: until then nothing has changed, and the
present one is kept aside.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader

from reports import inuse, verification
from reports.verification import Verified

# Beside what a database needs: its last pages and a log while it is made ready.
SPARE = 20 * 2**20
TOOLS = "Install PostgreSQL's client programs (Debian: postgresql-client) of the server's version or newer."
OURS = "reports"


class CannotDo(Exception):
    """Why there is no backup or restore and what to do; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made. schema: the newest migration of each app that it holds. size: bytes."""

    file: Path
    size: int
    schema: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that was made. aside: what the database before it is called now, "" where there was none."""

    schema: str
    aside: str
    verified: Verified


def backup(file: Path, *, force: bool = False) -> Backup:
    """Write the whole ledger into a file. Errors: CannotDo, DatabaseError; then the file is as it was before."""
    if file.is_dir():
        raise CannotDo(f"{file} is a folder. Give the name of a file in it.")
    if not file.parent.is_dir():
        raise CannotDo(f"There is no folder {file.parent}. Make it first.")
    if file.exists() and not force:
        raise CannotDo(f"{file} exists already. Give another name, or --force to replace it.")
    if connection.vendor == "sqlite" and file.exists() and file.samefile(_database_file()):
        raise CannotDo(f"{file} is the database itself. Give another name.")
    _check_space(file.parent, _size())
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        # Names, numbers and password hashes are in it: for its owner's eyes.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if connection.vendor == "sqlite":
            _copy_pages(_database_file(), partial)
            schema = _schema_of(_check_file(partial))
        else:
            _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(partial), *_dbname()])
            _check_dump(partial)
            schema = _schema_of(_applied())
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        size = partial.stat().st_size
        partial.replace(file)
        _sync_folder(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise CannotDo(f"{file} cannot be written: {_why(error)}. Nothing was changed.") from None
    finally:
        partial.unlink(missing_ok=True)
    return Backup(file, size, schema)


def restore(file: Path) -> Restored:
    """Put a backup in the place of the present database. Errors: CannotDo, DatabaseError; then nothing has changed."""
    if not file.is_file():
        raise CannotDo(f"There is no file {file}.")
    try:
        inuse.alone()
    except inuse.InUse as error:
        raise CannotDo(str(error)) from None
    try:
        return _restore_file(file) if connection.vendor == "sqlite" else _restore_server(file)
    except (OSError, sqlite3.Error) as error:
        raise CannotDo(f"{file} cannot be restored: {_why(error)}. Nothing was changed.") from None
    finally:
        inuse.give_back()


# Both -----------------------------------------------------------------------------------------------------------


def _why(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())[:200]
    return "the disk is full" if "full" in text or "No space" in text else text


def _check_space(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE:
        raise CannotDo(
            f"There is too little room in {folder}: {_megabytes(wanted + SPARE)} are needed, {_megabytes(free)} are "
            "free. Make room, or choose another place."
        )


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


def _size() -> int:
    """What the ledger takes, in bytes."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        else:
            cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _applied() -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        return set(cursor.fetchall())


def _schema_of(applied: set[tuple[str, str]]) -> str:
    """The newest migration of our two apps, as people read it."""
    newest = {app: max(name for held, name in applied if held == app) for app, _name in applied}
    return ", ".join(f"{app} {newest[app]}" for app in ("reports", "dashboard") if app in newest)


def _check_schema(file: Path, applied: set[tuple[str, str]]) -> str:
    """The schema of a backup. Errors: CannotDo where it is none of ours, or of a newer version than this program."""
    if not any(app == OURS for app, _name in applied):
        raise CannotDo(f"{file} is no backup of Roomledger. Nothing was changed.")
    loader = MigrationLoader(None)
    known = {*loader.disk_migrations}
    known.update(old for migration in loader.disk_migrations.values() for old in migration.replaces)
    ours = {app for app, _name in known}
    newer = sorted(f"{app} {name}" for app, name in applied - known if app in ours)
    if newer:
        raise CannotDo(
            f"{file} was made by a newer version of Roomledger (it holds {newer[-1]}). Install that version first. "
            "Nothing was changed."
        )
    return _schema_of(applied)


@contextmanager
def _pointed_at(name: str) -> Iterator[None]:
    """Inside, everything asks the database that is being made ready."""
    before = connection.settings_dict["NAME"]
    close = getattr(connection, "close_pool", connection.close)
    connection.close()
    close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        close()
        connection.settings_dict["NAME"] = before


def _make_ready() -> Verified:
    """Bring what was restored to this version, and look whether it is sound."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except InconsistentMigrationHistory as error:
        raise CannotDo(
            f"The backup is of a version that this one does not follow ({str(error)[:200]}). Nothing was changed."
        ) from None
    return verification.verify()


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


# SQLite ----------------------------------------------------------------------------------------------------------


def _database_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _copy_pages(source: Path, target: Path) -> None:
    """All pages of one moment, those of the log too. In one go: whoever writes meanwhile is not kept waiting."""
    with closing(_open(source)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)
        # One file: whoever copies it on need not know of a log beside it.
        write.execute("PRAGMA journal_mode=DELETE")


def _open(file: Path) -> sqlite3.Connection:
    """Open a database for reading alone. One that nobody has open and whose log is gone is read as it lies there."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def _check_file(file: Path) -> set[tuple[str, str]]:
    """The migrations that a database file holds. Errors: CannotDo where it is damaged or none of ours."""
    with closing(_open(file)) as read:
        try:
            told = read.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if told != "ok":
                raise CannotDo(f"{file} is damaged ({told[:200]}). Nothing was changed.")
            return set(read.execute("SELECT app, name FROM django_migrations"))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise
            raise CannotDo(f"{file} is no backup of Roomledger, or damaged. Nothing was changed.") from None


def _restore_file(file: Path) -> Restored:
    database = _database_file()
    if database.exists() and file.samefile(database):
        raise CannotDo(f"{file} is the database itself.")
    # What a restore that was killed left behind; nobody is at it, or it would not be ours alone.
    for left in database.parent.glob(f".{database.name}.*.restoring*"):
        left.unlink(missing_ok=True)
    schema = _check_schema(file, _check_file(file))
    # A copy, what migrating it adds, and perhaps the copy that is kept aside.
    _check_space(database.parent, 2 * file.stat().st_size)
    staged = database.with_name(f".{database.name}.{os.getpid()}.restoring")
    try:
        os.close(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
        _copy_pages(file, staged)
        with _pointed_at(str(staged)):
            verified = _make_ready()
            with connection.cursor() as cursor:
                # The log goes with the last connection.
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if database.exists():
            _same_owner(database, staged)
        with staged.open("rb") as written:
            os.fsync(written.fileno())
        return Restored(schema, _take_place(staged, database), verified)
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            staged.with_name(staged.name + end).unlink(missing_ok=True)


def _same_owner(before: Path, after: Path) -> None:
    """Whoever restores, it stays the database of the account that the site runs as."""
    told = before.stat()
    after.chmod(told.st_mode & 0o777)
    with suppress(PermissionError):
        os.chown(after, told.st_uid, told.st_gid)


def _take_place(staged: Path, database: Path) -> str:
    """The staged file becomes the database in one step; returns what the one before is called now."""
    if not database.exists():
        staged.replace(database)
        _sync_folder(database.parent)
        return ""
    aside = database.with_name(f"{database.stem}.before-restore-{_stamp()}{database.suffix}")
    try:
        with closing(sqlite3.connect(database, timeout=1)) as last:
            # What is in its log goes into it; refused while anybody else has it open.
            last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            last.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise CannotDo("Another program has the database open. Stop it first. Nothing was changed.") from None
        raise
    except sqlite3.DatabaseError:
        pass  # damaged: that may be why it is restored. It is kept as it is.
    for end in ("-wal", "-shm"):
        # Left over only beside a damaged one. A log of another database must never meet the new one.
        with suppress(FileNotFoundError):
            database.with_name(database.name + end).rename(aside.with_name(aside.name + end))
    try:
        os.link(database, aside)
    except OSError:
        shutil.copy2(database, aside)
    staged.replace(database)
    _sync_folder(database.parent)
    return str(aside)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# PostgreSQL ------------------------------------------------------------------------------------------------------


def _told() -> dict[str, Any]:
    """How the server is reached, without the password: that goes by the environment, which others cannot read."""
    told = dict(connection.get_connection_params())
    for name in ("password", "context", "cursor_factory", "prepare_threshold", "server_side_binding"):
        told.pop(name, None)
    return {name: value for name, value in told.items() if isinstance(value, str | int)}


def _dbname(name: str = "") -> list[str]:
    from psycopg.conninfo import make_conninfo

    told = _told()
    return ["--dbname", make_conninfo(**{**told, "dbname": name or told["dbname"]})]


def _run(command: list[str]) -> str:
    """Run one of PostgreSQL's programs. Errors: CannotDo with what it said."""
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C"}
    if password := connection.settings_dict.get("PASSWORD"):
        environment = {**environment, "PGPASSWORD": str(password)}
    program = shutil.which(command[0])
    if program is None:
        raise CannotDo(f"The program {command[0]} is not here. {TOOLS}")
    # Arguments of our own making, no shell.
    done = subprocess.run([program, *command[1:]], env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        more = f" {TOOLS}" if "version mismatch" in said or "unsupported version" in said else ""
        raise CannotDo(f"{command[0]} failed: {said}.{more} Nothing was changed.")
    return done.stdout


def _check_dump(file: Path) -> None:
    """Errors: CannotDo where a file is no whole dump of ours."""
    try:
        listed = _run(["pg_restore", "--list", str(file)])
    except CannotDo as error:
        if "is not here" in str(error) or TOOLS in str(error):
            raise
        raise CannotDo(f"{file} is no backup of Roomledger, or damaged. Nothing was changed.") from None
    if "TABLE DATA public reports_meeting " not in f"{listed} " and " reports_meeting " not in listed:
        raise CannotDo(f"{file} is no backup of Roomledger. Nothing was changed.")


def _restore_server(file: Path) -> Restored:
    import psycopg
    from psycopg import sql

    _check_dump(file)
    present = str(connection.settings_dict["NAME"])
    stamp = _stamp().lower()
    staged, aside = f"{present}_restoring_{stamp}"[:63], f"{present}_before-restore_{stamp}"[:63]
    connection.close()
    password = str(connection.settings_dict.get("PASSWORD") or "")
    told = {**_told(), "dbname": "postgres", **({"password": password} if password else {})}
    with psycopg.connect(**told, autocommit=True) as server:
        _refuse_others(server, present)
        # What a restore that was killed left behind; nobody is connected to it.
        left = server.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) "
            "AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = pg_database.datname)",
            [f"{present}_restoring_"],
        ).fetchall()
        for (name,) in left:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        try:
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(staged)))
        except psycopg.errors.InsufficientPrivilege:
            raise CannotDo(
                "The account of DATABASE_URL may not make a database, which a restore needs. Allow it with: "
                "ALTER ROLE … CREATEDB. Nothing was changed."
            ) from None
        try:
            _run(
                [
                    *("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"),
                    *("--no-comments", *_dbname(staged), str(file)),
                ]
            )
            with _pointed_at(staged):
                schema = _check_schema(file, _applied())
                verified = _make_ready()
            _refuse_others(server, present)
            try:
                with server.transaction():
                    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
                    server.execute(rename.format(sql.Identifier(present), sql.Identifier(aside)))
                    server.execute(rename.format(sql.Identifier(staged), sql.Identifier(present)))
            except psycopg.errors.ObjectInUse:
                raise CannotDo("Somebody has opened the database meanwhile. Nothing was changed.") from None
        finally:
            # Nothing is left of it where it has not become the database.
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(staged)))
    return Restored(schema, aside, verified)


def _refuse_others(server: Any, name: str) -> None:
    (others,) = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]).fetchone()
    if others:
        raise CannotDo(
            f"Roomledger is running on this database, or another program is connected to it ({others} connections). "
            "Stop it first, then restore. Nothing was changed."
        )
