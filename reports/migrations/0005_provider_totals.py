"""The provider's own totals of a month or a day, by room: what our sums are checked against."""

import django.db.models.deletion
import reports.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0004_spare_seconds'),
    ]

    operations = [
        migrations.AlterField(
            model_name='pull',
            name='source',
            field=models.CharField(choices=[('numbers', 'meeting numbers'), ('dates', 'dates'), ('rooms', 'rooms'), ('summary', "provider's totals"), ('load', 'saved answers')], max_length=16, verbose_name='source'),
        ),
        migrations.AlterField(
            model_name='source',
            name='name',
            field=models.CharField(choices=[('numbers', 'meeting numbers'), ('dates', 'dates'), ('rooms', 'rooms'), ('summary', "provider's totals")], max_length=16, unique=True, verbose_name='name'),
        ),
        migrations.CreateModel(
            name='ProviderPeriod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(editable=False, null=True, verbose_name='last asked')),
                ('next_due_at', models.DateTimeField(db_index=True, null=True, verbose_name='next due')),
                ('failures', models.PositiveIntegerField(default=0, help_text='failed attempts since the last good one')),
                ('last_error', models.TextField(blank=True, verbose_name='last error')),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=160)),
                ('lease_until', models.DateTimeField(editable=False, null=True)),
                ('first', models.DateField(verbose_name='first day')),
                ('last', models.DateField(verbose_name='last day')),
                ('asked_first', models.DateField(help_text='the first day asked about: days before it were never pulled', null=True, verbose_name='asked from')),
                ('sent_at', models.DateTimeField(editable=False, null=True)),
                ('told_at', models.DateTimeField(editable=False, null=True, verbose_name='told')),
                ('meetings', models.PositiveIntegerField(help_text="the provider's own total over all rooms", null=True, verbose_name='meetings')),
            ],
            options={
                'verbose_name': "period of the provider's totals",
                'verbose_name_plural': "periods of the provider's totals",
                'ordering': ('-last', 'first'),
                'constraints': [models.UniqueConstraint(fields=('first', 'last'), name='provider_period')],
            },
        ),
        migrations.CreateModel(
            name='ProviderRoom',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host_id', models.CharField(blank=True, max_length=200, verbose_name='host id')),
                ('is_extra', models.BooleanField(null=True, verbose_name='extra room')),
                ('meetings', models.PositiveIntegerField(verbose_name='meetings')),
                ('participants', models.PositiveIntegerField(null=True, verbose_name='visits')),
                ('meeting_seconds', models.PositiveBigIntegerField(help_text='seconds (the API: minutes)', null=True)),
                ('audio_participants', models.PositiveIntegerField(null=True, verbose_name='calls')),
                ('audio_total_seconds', models.PositiveBigIntegerField(help_text='seconds (the API: minutes)', null=True)),
                ('total_fee', reports.fields.MoneyField(help_text='yuan', null=True, verbose_name='cost')),
                ('period', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rooms', to='reports.providerperiod')),
            ],
            options={
                'verbose_name': "room in the provider's totals",
                'verbose_name_plural': "rooms in the provider's totals",
                'ordering': ('period', 'host_id', 'is_extra'),
            },
        ),
    ]
