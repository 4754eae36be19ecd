# How often and for how long the pool was short is kept of each number of rooms: two more sums.

from django.db import migrations, models


def clear(apps, schema_editor):
    """Every day is folded anew anyway, and a database may write the whole table again for a new column."""
    apps.get_model("reports", "KeptLevel").objects.all().delete()
    # What is kept already lacks the new sums: signed with no rules, it is folded anew.
    apps.get_model("reports", "Ledger").objects.update(opening_hours="")


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0014_sums_of_series'),
    ]

    operations = [
        migrations.RunPython(clear, clear),
        migrations.AddField(
            model_name='keptlevel',
            name='rises',
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='keptlevel',
            name='over',
            field=models.BigIntegerField(null=True),
        ),
    ]
