"""Triggers that note which days a meeting or a call touches, in the transaction that writes it (see kept.py).

In the database, because then no way of writing can forget it.
"""

from typing import Any

MEETING, CALL, TOUCHED = "reports_meeting", "reports_telephonyusage", "reports_touched"
NAMES = {MEETING: "end_time", CALL: "NULL"}

SQLITE = """
CREATE TRIGGER IF NOT EXISTS {table}_touched_{event} AFTER {event} ON {table} BEGIN
  INSERT INTO {touched} (day, end_time) {rows};
END
"""
POSTGRESQL = """
CREATE OR REPLACE FUNCTION {table}_touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO {touched} (day, end_time) VALUES (OLD.local_day, {old_end});
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO {touched} (day, end_time) VALUES (NEW.local_day, {new_end});
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS {table}_touched ON {table};
CREATE TRIGGER {table}_touched AFTER INSERT OR UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION {table}_touched();
"""


def install(connection: Any) -> None:
    """Make the triggers where the tables are there and the triggers are not."""
    tables = set(connection.introspection.table_names())
    if not {MEETING, CALL, TOUCHED} <= tables:
        return
    with connection.cursor() as cursor:
        for table, end in NAMES.items():
            old, new = (f"{row}.{end}" if end != "NULL" else end for row in ("OLD", "NEW"))
            if connection.vendor == "sqlite":
                rows = {
                    "insert": f"VALUES (NEW.local_day, {new})",
                    "update": f"VALUES (OLD.local_day, {old}), (NEW.local_day, {new})",
                    "delete": f"VALUES (OLD.local_day, {old})",
                }
                for event, values in rows.items():
                    cursor.execute(SQLITE.format(table=table, touched=TOUCHED, event=event, rows=values))
            else:
                cursor.execute(POSTGRESQL.format(table=table, touched=TOUCHED, old_end=old, new_end=new))


def remove(connection: Any) -> None:
    """Drop the triggers."""
    with connection.cursor() as cursor:
        for table in NAMES:
            if connection.vendor == "sqlite":
                for event in ("insert", "update", "delete"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {table}_touched_{event}")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_touched ON {table}")
                cursor.execute(f"DROP FUNCTION IF EXISTS {table}_touched()")
