"""Saved views, mail of views, budgets and what was told of them."""

import dashboard.models
import django.db.models.deletion
import django.db.models.functions.comparison
import reports.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('reports', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', reports.fields.MoneyField(help_text='yuan a month', verbose_name='amount')),
                ('thresholds', models.JSONField(default=dashboard.models.usual_thresholds, help_text='percent, rising', verbose_name='thresholds')),
                ('recipients', models.JSONField(default=list, help_text='e-mail addresses', verbose_name='recipients')),
                ('language', models.CharField(default='en', max_length=10, verbose_name='language')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('room', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='budgets', to='reports.room', verbose_name='room')),
            ],
            options={
                'verbose_name': 'budget',
                'verbose_name_plural': 'budgets',
                'ordering': ('room__host_id', 'id'),
            },
        ),
        migrations.CreateModel(
            name='BudgetNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(editable=False, null=True, verbose_name='last asked')),
                ('next_due_at', models.DateTimeField(db_index=True, null=True, verbose_name='next due')),
                ('failures', models.PositiveIntegerField(default=0, help_text='failed attempts since the last good one')),
                ('last_error', models.TextField(blank=True, verbose_name='last error')),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=160)),
                ('lease_until', models.DateTimeField(editable=False, null=True)),
                ('month', models.DateField(help_text='its first day', verbose_name='month')),
                ('threshold', models.PositiveIntegerField(help_text='percent', verbose_name='threshold')),
                ('state', models.CharField(choices=[('waiting', 'to be sent'), ('sending', 'being sent'), ('sent', 'sent'), ('refused', 'refused'), ('unsure', 'perhaps sent')], default='waiting', max_length=10, verbose_name='state')),
                ('noticed_at', models.DateTimeField(verbose_name='noticed')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('budget', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='dashboard.budget')),
                ('told_with', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tells_too', to='dashboard.budgetnotice')),
            ],
            options={
                'verbose_name': 'budget notice',
                'verbose_name_plural': 'budget notices',
                'ordering': ('-month', '-threshold'),
            },
        ),
        migrations.CreateModel(
            name='MailReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(editable=False, null=True, verbose_name='last asked')),
                ('next_due_at', models.DateTimeField(db_index=True, null=True, verbose_name='next due')),
                ('failures', models.PositiveIntegerField(default=0, help_text='failed attempts since the last good one')),
                ('last_error', models.TextField(blank=True, verbose_name='last error')),
                ('lease_owner', models.CharField(blank=True, editable=False, max_length=160)),
                ('lease_until', models.DateTimeField(editable=False, null=True)),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('path', models.TextField(verbose_name='page')),
                ('query', models.TextField(blank=True, verbose_name='filter')),
                ('frequency', models.CharField(choices=[('daily', 'daily'), ('weekly', 'weekly, on Monday'), ('monthly', 'monthly, on the 1st')], default='weekly', max_length=10, verbose_name='frequency')),
                ('hour', models.PositiveSmallIntegerField(default=8, help_text="of the site's zone", verbose_name='hour')),
                ('table', models.CharField(blank=True, max_length=20, verbose_name='CSV attached')),
                ('language', models.CharField(default='en', max_length=10, verbose_name='language')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('sending_for', models.DateTimeField(editable=False, null=True)),
                ('last_sent_at', models.DateTimeField(editable=False, null=True, verbose_name='last sent')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mail_reports', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={
                'verbose_name': 'mail report',
                'verbose_name_plural': 'mail reports',
                'ordering': ('name', 'id'),
            },
        ),
        migrations.CreateModel(
            name='MailRecipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=254, verbose_name='e-mail')),
                ('token', models.CharField(default=dashboard.models.new_token, editable=False, max_length=64, unique=True)),
                ('unsubscribed_at', models.DateTimeField(null=True, verbose_name='unsubscribed')),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recipients', to='dashboard.mailreport')),
            ],
            options={
                'verbose_name': 'recipient',
                'verbose_name_plural': 'recipients',
                'ordering': ('address',),
            },
        ),
        migrations.CreateModel(
            name='MailDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField(verbose_name='due')),
                ('address', models.CharField(max_length=254, verbose_name='e-mail')),
                ('state', models.CharField(choices=[('waiting', 'to be sent'), ('sending', 'being sent'), ('sent', 'sent'), ('refused', 'refused'), ('unsure', 'perhaps sent')], default='waiting', max_length=10, verbose_name='state')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('error', models.TextField(blank=True, verbose_name='error')),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='dashboard.mailreport')),
            ],
            options={
                'verbose_name': 'delivery',
                'verbose_name_plural': 'deliveries',
                'ordering': ('-due_at', 'address'),
            },
        ),
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('path', models.TextField(verbose_name='page')),
                ('query', models.TextField(blank=True, help_text='as filters.to_query writes it', verbose_name='filter')),
                ('shared', models.BooleanField(default=False, help_text='Every account may open it.', verbose_name='shared')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_views', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
            ],
            options={
                'verbose_name': 'saved view',
                'verbose_name_plural': 'saved views',
                'ordering': ('name', 'id'),
            },
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.UniqueConstraint(django.db.models.functions.comparison.Coalesce(models.F('room'), models.Value(0), output_field=models.BigIntegerField()), name='budget_room', violation_error_message='There is a budget for that already. Change it instead.'),
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='budget_amount'),
        ),
        migrations.AddConstraint(
            model_name='budgetnotice',
            constraint=models.UniqueConstraint(fields=('budget', 'month', 'threshold'), name='budget_notice_once'),
        ),
        migrations.AddConstraint(
            model_name='mailreport',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='mail_report_owner_name'),
        ),
        migrations.AddConstraint(
            model_name='mailreport',
            constraint=models.CheckConstraint(condition=models.Q(('hour__lte', 23)), name='mail_report_hour'),
        ),
        migrations.AddConstraint(
            model_name='mailrecipient',
            constraint=models.UniqueConstraint(fields=('report', 'address'), name='mail_recipient_address'),
        ),
        migrations.AddConstraint(
            model_name='maildelivery',
            constraint=models.UniqueConstraint(fields=('report', 'due_at', 'address'), name='mail_delivery_once'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='saved_view_owner_name'),
        ),
    ]
