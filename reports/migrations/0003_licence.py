"""What the provider says is rented."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0002_week_hour'),
    ]

    operations = [
        migrations.CreateModel(
            name='Licence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('capacity', models.JSONField(help_text='how many rooms of so many seats, as the API tells it', verbose_name='rooms by size')),
                ('pay_type', models.CharField(blank=True, help_text='1: room size, 2: concurrent participants, 3: time used', max_length=20, verbose_name='billed by')),
                ('expire_date', models.DateField(null=True, verbose_name='rented until')),
                ('first_seen_at', models.DateTimeField(verbose_name='first told')),
                ('last_seen_at', models.DateTimeField(verbose_name='last told')),
            ],
            options={
                'verbose_name': 'licence',
                'verbose_name_plural': 'licences',
                'ordering': ('-last_seen_at', '-id'),
            },
        ),
    ]
