"""Visits and calls lose the index on their meeting alone: the unique one on meeting and place serves it too."""

import django.db.models.deletion
from django.db import migrations, models

TABLES = ("Participant", "TelephonyUsage")


def _found(model, schema_editor):
    """The names of the indexes on the meeting alone."""
    with schema_editor.connection.cursor() as cursor:
        known = schema_editor.connection.introspection.get_constraints(cursor, model._meta.db_table)
    return [
        name
        for name, told in known.items()
        if told["index"] and not told["unique"] and not told["primary_key"] and told["columns"] == ["meeting_id"]
    ]


def drop(apps, schema_editor):
    # AlterField would do the same on PostgreSQL, and write every row anew on SQLite.
    for table in TABLES:
        for name in _found(apps.get_model("reports", table), schema_editor):
            schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


def create(apps, schema_editor):
    for table in TABLES:
        model = apps.get_model("reports", table)
        if not _found(model, schema_editor):
            index = models.Index(fields=["meeting"], name=f"{model._meta.db_table}_meeting"[:30])
            schema_editor.add_index(model, index)


class Migration(migrations.Migration):
    dependencies = [("reports", "0005_provider_totals")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop, create)],
            state_operations=[
                migrations.AlterField(
                    model_name="participant",
                    name="meeting",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="participants",
                        to="reports.meeting",
                    ),
                ),
                migrations.AlterField(
                    model_name="telephonyusage",
                    name="meeting",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="telephony_usage",
                        to="reports.meeting",
                    ),
                ),
            ],
        ),
    ]
