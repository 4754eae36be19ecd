"""Booked time after the last leave of each ended meeting, computed for what is there."""

from datetime import timedelta

from django.db import migrations, models

BATCH = 2000


def fill(apps, schema_editor):
    Meeting = apps.get_model("reports", "Meeting")
    Participant = apps.get_model("reports", "Participant")
    judged = Meeting.objects.filter(
        end_time__isnull=False, duration__isnull=False, duration_is_weak=False, participants_reported=True
    )
    last = 0
    while True:
        columns = ("pk", "start_time", "end_time", "duration")
        meetings = list(judged.filter(pk__gt=last).order_by("pk").only(*columns)[:BATCH])
        if not meetings:
            break
        known = {meeting.pk: meeting for meeting in meetings}
        ends = {meeting.pk: meeting.start_time for meeting in meetings}
        visits = Participant.objects.filter(meeting__gt=last, meeting__lte=meetings[-1].pk)
        for pk, join, leave in visits.values_list("meeting_id", "join_time", "leave_time").iterator():
            if pk in known:
                ends[pk] = max(ends[pk], join, leave or known[pk].end_time)
        for pk, meeting in known.items():
            booked_end = meeting.start_time + timedelta(seconds=meeting.duration)
            meeting.spare_seconds = max(0, int((booked_end - ends[pk]).total_seconds()))
        Meeting.objects.bulk_update(meetings, ["spare_seconds"], batch_size=400)
        last = meetings[-1].pk


class Migration(migrations.Migration):
    dependencies = [("reports", "0003_licence")]
    operations = [
        migrations.AddField(
            model_name="meeting",
            name="spare_seconds",
            field=models.PositiveBigIntegerField(
                help_text="booked time after the last leave of an ended meeting", null=True
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
