"""The texts that a search looks in, made of what is there, and the indexes from them to meetings and visits."""

from django.db import migrations, models

from reports import search
from reports.expressions import Long, Short, Topic


def fill(apps, schema_editor):
    search.fill(apps.get_model("reports", "Meeting").objects.all(), apps.get_model("reports", "Participant").objects.all())
    # Where it cannot be made a search works all the same, and `check --database default` says what is missing.
    search.make_trigrams()


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE IF EXISTS {search.TRIGRAMS}")


class Migration(migrations.Migration):
    dependencies = [("reports", "0006_indexes")]
    operations = [
        migrations.CreateModel(
            name="SearchText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=6)),
                ("text", models.TextField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("kind", "text"), name="search_text_once")],
            },
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(fields=["start_time"], name="meeting_running", condition=models.Q(("end_time", None))),
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(
                fields=["start_time"], name="meeting_long", condition=models.Q(("open_seconds__gt", 86400))
            ),
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(Topic("search"), name="meeting_topic"),
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(fields=["id"], name="meeting_long_search", condition=models.Q(Long("search"))),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(
                fields=["name_key", "meeting"], name="participant_name", condition=models.Q(Short("name_key"))
            ),
        ),
        migrations.AddIndex(
            model_name="participant",
            index=models.Index(fields=["meeting"], name="participant_long_name", condition=models.Q(Long("name_key"))),
        ),
        migrations.RunPython(fill, drop),
    ]
