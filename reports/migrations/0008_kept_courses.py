"""How many rooms were occupied at once, kept of each day and stretch; a room's size touches its days."""

from django.db import migrations, models

from reports import triggers


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


def touch(apps, schema_editor):
    """Whatever is kept already lacks the new sums: signed with no rules, it is folded anew."""
    apps.get_model("reports", "Ledger").objects.update(opening_hours="")


class Migration(migrations.Migration):
    dependencies = [("reports", "0007_kept_sums")]
    operations = [
        migrations.CreateModel(
            name="KeptCourse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stretch", models.PositiveIntegerField(unique=True)),
                ("peak", models.PositiveIntegerField()),
                ("head", models.PositiveIntegerField()),
                ("head_until", models.BigIntegerField()),
                ("tail", models.PositiveIntegerField()),
                ("tail_from", models.BigIntegerField()),
                ("least_extra", models.PositiveIntegerField(null=True)),
                ("hours", models.TextField()),
                ("extras", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="KeptLevel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stretch", models.PositiveIntegerField()),
                ("size", models.IntegerField()),
                ("level", models.PositiveIntegerField()),
                ("seconds", models.BigIntegerField()),
                ("opening", models.BigIntegerField()),
                ("begun", models.BigIntegerField()),
                ("extra", models.BigIntegerField()),
                ("told", models.BigIntegerField()),
                ("longest", models.BigIntegerField(null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("stretch", "size", "level"), name="kept_level")],
            },
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.RunPython(touch, migrations.RunPython.noop),
    ]
