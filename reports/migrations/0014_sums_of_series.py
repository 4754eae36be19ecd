# A day has nearly as many series as meetings: eleven sums of them that nothing shows cost a pull some of its time.

from django.db import migrations

DROPPED = (
    *("booked", "extra", "opened", "people", "people_seconds", "running", "stays"),
    *("tell_booked", "tell_calls", "tell_extra", "used"),
)


def put_aside(apps, schema_editor):
    """SQLite writes the whole table anew for each column that goes: of years that takes a minute, of no rows none."""
    if schema_editor.connection.vendor != "sqlite":
        return
    table = apps.get_model("reports", "KeptSeries")._meta
    names = [field.column for field in table.local_concrete_fields if field.name not in DROPPED]
    columns = ", ".join(schema_editor.quote_name(name) for name in names)
    schema_editor.execute(f"CREATE TEMP TABLE kept_aside AS SELECT {columns} FROM {table.db_table}")
    schema_editor.execute(f"DELETE FROM {table.db_table}")


def put_back(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    table = apps.get_model("reports", "KeptSeries")._meta
    columns = ", ".join(schema_editor.quote_name(field.column) for field in table.local_concrete_fields)
    schema_editor.execute(f"INSERT INTO {table.db_table} ({columns}) SELECT {columns} FROM temp.kept_aside")
    schema_editor.execute("DROP TABLE temp.kept_aside")


def make_anew(apps, schema_editor):
    """On the way back nobody knows the sums that went: every day counts as touched."""
    apps.get_model("reports", "KeptSeries").objects.all().delete()
    apps.get_model("reports", "Stretch").objects.all().delete()
    touched = apps.get_model("reports", "Touched")
    days = apps.get_model("reports", "Meeting").objects.order_by().values_list("local_day", "end_time").distinct()
    touched.objects.bulk_create([touched(day=day, end_time=end) for day, end in days], batch_size=1000)


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0013_room_of_pool'),
    ]

    operations = [
        migrations.RunPython(put_aside, migrations.RunPython.noop),
        *[migrations.RemoveField(model_name='keptseries', name=name) for name in DROPPED],
        migrations.RunPython(put_back, make_anew),
    ]
