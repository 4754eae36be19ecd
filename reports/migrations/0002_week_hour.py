"""The local hour of a meeting's start in its week, computed for what is there; who may see telephone numbers."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations, models


def fill(apps, schema_editor):
    Meeting = apps.get_model("reports", "Meeting")
    Ledger = apps.get_model("reports", "Ledger")
    ledger = Ledger.objects.first()
    zone = ZoneInfo(ledger.time_zone if ledger else settings.TIME_ZONE)
    batch = []

    def write():
        Meeting.objects.bulk_update(batch, ["week_hour"], batch_size=400)
        batch.clear()

    for meeting in Meeting.objects.only("pk", "start_time").iterator(chunk_size=2000):
        local = meeting.start_time.astimezone(zone)
        meeting.week_hour = local.weekday() * 24 + local.hour
        batch.append(meeting)
        if len(batch) >= 2000:
            write()
    write()


class Migration(migrations.Migration):
    dependencies = [("reports", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="meeting",
            name="week_hour",
            field=models.PositiveSmallIntegerField(
                help_text="local hour of the start, counted from Monday 0:00", null=True
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="meeting",
            name="week_hour",
            field=models.PositiveSmallIntegerField(help_text="local hour of the start, counted from Monday 0:00"),
        ),
        migrations.AlterModelOptions(
            name="telephonyusage",
            options={
                "ordering": ("meeting", "place"),
                "permissions": [("see_phone_numbers", "Can see telephone numbers in full")],
                "verbose_name": "call",
                "verbose_name_plural": "calls",
            },
        ),
    ]
