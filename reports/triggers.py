"""Triggers that note which days a meeting, a call or a room's size touches, in the transaction that writes it.

In the database, because then no way of writing can forget it. What is kept of the days: see kept.py.
"""

from typing import Any

MEETING, CALL, TOUCHED = "reports_meeting", "reports_telephonyusage", "reports_touched"
ROOM = "reports_room"
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

# Meetings of at most a day reach two days further at most; one more day is folded for nothing and no worse.
ROOM_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {room}_touched_update AFTER UPDATE OF capacity, temporary ON {room}
WHEN OLD.capacity IS NOT NEW.capacity OR OLD.temporary <> NEW.temporary BEGIN
  INSERT INTO {touched} (day, end_time)
    SELECT DISTINCT date(local_day, '+' || days.more || ' days'), NULL
      FROM {meeting}, (SELECT 0 AS more UNION SELECT 1 UNION SELECT 2) AS days WHERE room_id = NEW.id
    EXCEPT SELECT day, end_time FROM {touched};
END
"""
# Not but what is touched already: another transaction may be folding that very day.
ROOM_POSTGRESQL = """
CREATE OR REPLACE FUNCTION {room}_touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO {touched} (day, end_time)
    SELECT DISTINCT local_day + days.more, NULL::timestamptz
      FROM {meeting}, generate_series(0, 2) AS days (more) WHERE room_id = NEW.id;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS {room}_touched ON {room};
CREATE TRIGGER {room}_touched AFTER UPDATE OF capacity, temporary ON {room} FOR EACH ROW
  WHEN (OLD.capacity IS DISTINCT FROM NEW.capacity OR OLD.temporary IS DISTINCT FROM NEW.temporary)
  EXECUTE FUNCTION {room}_touched();
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
        if ROOM in tables:
            text = ROOM_SQLITE if connection.vendor == "sqlite" else ROOM_POSTGRESQL
            cursor.execute(text.format(room=ROOM, meeting=MEETING, touched=TOUCHED))


def remove(connection: Any) -> None:
    """Drop the triggers."""
    with connection.cursor() as cursor:
        for table in (*NAMES, ROOM):
            if connection.vendor == "sqlite":
                for event in ("insert", "update", "delete"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {table}_touched_{event}")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_touched ON {table}")
                cursor.execute(f"DROP FUNCTION IF EXISTS {table}_touched()")
