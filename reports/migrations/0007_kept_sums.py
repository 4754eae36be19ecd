"""Sums kept of stretches of days, triggers that note touched days, and attendee figures of the visits there are."""

import reports.fields
from django.db import migrations, models

from reports import triggers

BATCH = 1000


def fill(apps, schema_editor):
    """The figures of each attendee, on their first visit. The kept sums are made when they are first folded."""
    from reports.measures import on_first_visits

    Meeting = apps.get_model("reports", "Meeting")
    Participant = apps.get_model("reports", "Participant")
    update = (
        "UPDATE reports_participant SET attendee_visits = %s, attendee_seconds = %s, late_seconds = %s WHERE id = %s"
    )
    last = 0
    while True:
        meetings = list(
            Meeting.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "start_time", "end_time")[:BATCH]
        )
        if not meetings:
            break
        visits = {}
        for visit in Participant.objects.filter(meeting__gt=last, meeting__lte=meetings[-1][0]).order_by("place"):
            visits.setdefault(visit.meeting_id, []).append(visit)
        rows = []
        for pk, start, end in meetings:
            stays = visits.get(pk, [])
            figures = on_first_visits(stays, start, end)
            rows += [[*found, visit.pk] for visit, found in zip(stays, figures) if found[0] is not None]
        if rows:
            with schema_editor.connection.cursor() as cursor:
                cursor.executemany(update, rows)
        last = meetings[-1][0]


def install(apps, schema_editor):
    triggers.install(schema_editor.connection)


def remove(apps, schema_editor):
    triggers.remove(schema_editor.connection)


class Migration(migrations.Migration):
    # The rows are filled before the triggers are made.
    dependencies = [("reports", "0006_topic_search")]
    operations = [
        migrations.CreateModel(
            name='KeptPeak',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField(unique=True)),
                ('rooms', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Stretch',
            fields=[
                ('code', models.PositiveIntegerField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name='Touched',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('end_time', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='ledger',
            name='opening_hours',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='attendee_seconds',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='attendee_visits',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='late_seconds',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name='KeptCalls',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('by', models.CharField(max_length=7)),
                ('key', models.CharField(max_length=100)),
                ('dials', models.BigIntegerField()),
                ('dial_seconds', models.BigIntegerField(null=True)),
                ('cost', reports.fields.MoneyField(null=True)),
                ('unpriced', models.BigIntegerField()),
                ('priced_seconds', models.BigIntegerField(null=True)),
                ('priced_cost', reports.fields.MoneyField(null=True)),
                ('last', models.DateField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('by', 'stretch', 'key'), name='kept_calls')],
            },
        ),
        migrations.CreateModel(
            name='KeptHours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('week_hour', models.PositiveSmallIntegerField()),
                ('began', models.BigIntegerField()),
                ('open_seconds', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stretch', 'week_hour'), name='kept_hours')],
            },
        ),
        migrations.CreateModel(
            name='KeptOpening',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('room', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stretch', 'room'), name='kept_opening')],
            },
        ),
        migrations.CreateModel(
            name='KeptPeople',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('key', models.TextField()),
                ('attended', models.BigIntegerField()),
                ('visits', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('late', models.BigIntegerField()),
                ('late_sum', models.BigIntegerField()),
                ('first_join', models.DateTimeField()),
                ('newest', models.TextField()),
            ],
            options={
                'indexes': [models.Index(fields=['stretch'], name='kept_people')],
            },
        ),
        migrations.CreateModel(
            name='KeptRooms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('meetings', models.BigIntegerField()),
                ('extra', models.BigIntegerField()),
                ('empty', models.BigIntegerField()),
                ('solo', models.BigIntegerField()),
                ('unreported', models.BigIntegerField()),
                ('running', models.BigIntegerField()),
                ('booked', models.BigIntegerField(null=True)),
                ('opened', models.BigIntegerField(null=True)),
                ('used', models.BigIntegerField(null=True)),
                ('people', models.BigIntegerField(null=True)),
                ('people_seconds', models.BigIntegerField(null=True)),
                ('stays', models.BigIntegerField(null=True)),
                ('tell_extra', models.BigIntegerField()),
                ('tell_booked', models.BigIntegerField()),
                ('tell_people', models.BigIntegerField()),
                ('tell_calls', models.BigIntegerField()),
                ('judged_count', models.BigIntegerField()),
                ('untold_count', models.BigIntegerField()),
                ('told_count', models.BigIntegerField()),
                ('running_state', models.BigIntegerField()),
                ('over_count', models.BigIntegerField()),
                ('over_sum', models.BigIntegerField(null=True)),
                ('early_count', models.BigIntegerField()),
                ('early_sum', models.BigIntegerField(null=True)),
                ('booked_sum', models.BigIntegerField(null=True)),
                ('used_sum', models.BigIntegerField(null=True)),
                ('used_booked_sum', models.BigIntegerField(null=True)),
                ('spare_sum', models.BigIntegerField(null=True)),
                ('room', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stretch', 'room'), name='kept_rooms')],
            },
        ),
        migrations.CreateModel(
            name='KeptSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('meetings', models.BigIntegerField()),
                ('extra', models.BigIntegerField()),
                ('empty', models.BigIntegerField()),
                ('solo', models.BigIntegerField()),
                ('unreported', models.BigIntegerField()),
                ('running', models.BigIntegerField()),
                ('booked', models.BigIntegerField(null=True)),
                ('opened', models.BigIntegerField(null=True)),
                ('used', models.BigIntegerField(null=True)),
                ('people', models.BigIntegerField(null=True)),
                ('people_seconds', models.BigIntegerField(null=True)),
                ('stays', models.BigIntegerField(null=True)),
                ('tell_extra', models.BigIntegerField()),
                ('tell_booked', models.BigIntegerField()),
                ('tell_people', models.BigIntegerField()),
                ('tell_calls', models.BigIntegerField()),
                ('judged_count', models.BigIntegerField()),
                ('untold_count', models.BigIntegerField()),
                ('told_count', models.BigIntegerField()),
                ('running_state', models.BigIntegerField()),
                ('over_count', models.BigIntegerField()),
                ('over_sum', models.BigIntegerField(null=True)),
                ('early_count', models.BigIntegerField()),
                ('early_sum', models.BigIntegerField(null=True)),
                ('booked_sum', models.BigIntegerField(null=True)),
                ('used_sum', models.BigIntegerField(null=True)),
                ('used_booked_sum', models.BigIntegerField(null=True)),
                ('spare_sum', models.BigIntegerField(null=True)),
                ('by', models.CharField(max_length=6)),
                ('key', models.TextField()),
                ('newest', models.TextField()),
                ('least_number', models.CharField(max_length=20)),
                ('most_number', models.CharField(max_length=20)),
            ],
            options={
                'indexes': [models.Index(fields=['by', 'stretch'], name='kept_series')],
            },
        ),
        migrations.CreateModel(
            name='KeptTotals',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('meetings', models.BigIntegerField()),
                ('extra', models.BigIntegerField()),
                ('empty', models.BigIntegerField()),
                ('solo', models.BigIntegerField()),
                ('unreported', models.BigIntegerField()),
                ('running', models.BigIntegerField()),
                ('booked', models.BigIntegerField(null=True)),
                ('opened', models.BigIntegerField(null=True)),
                ('used', models.BigIntegerField(null=True)),
                ('people', models.BigIntegerField(null=True)),
                ('people_seconds', models.BigIntegerField(null=True)),
                ('stays', models.BigIntegerField(null=True)),
                ('tell_extra', models.BigIntegerField()),
                ('tell_booked', models.BigIntegerField()),
                ('tell_people', models.BigIntegerField()),
                ('tell_calls', models.BigIntegerField()),
                ('judged_count', models.BigIntegerField()),
                ('untold_count', models.BigIntegerField()),
                ('told_count', models.BigIntegerField()),
                ('running_state', models.BigIntegerField()),
                ('over_count', models.BigIntegerField()),
                ('over_sum', models.BigIntegerField(null=True)),
                ('early_count', models.BigIntegerField()),
                ('early_sum', models.BigIntegerField(null=True)),
                ('booked_sum', models.BigIntegerField(null=True)),
                ('used_sum', models.BigIntegerField(null=True)),
                ('used_booked_sum', models.BigIntegerField(null=True)),
                ('spare_sum', models.BigIntegerField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stretch',), name='kept_totals')],
            },
        ),
        migrations.CreateModel(
            name='KeptEnds',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stretch', models.PositiveIntegerField()),
                ('bucket', models.SmallIntegerField()),
                ('meetings', models.BigIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stretch', 'bucket'), name='kept_ends')],
            },
        ),
        migrations.AddIndex(
            model_name="meeting",
            index=models.Index(
                fields=["call_cost", "id"], name="meeting_dearest", condition=models.Q(("call_cost__gt", 0))
            ),
        ),
        migrations.AddIndex(
            model_name="telephonyusage",
            index=models.Index(fields=["-total"], name="telephony_dearest", condition=models.Q(("total__isnull", False))),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(install, remove),
    ]
