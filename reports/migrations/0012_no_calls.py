from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def drop_sums_of_nothing(apps: Apps, _schema: BaseDatabaseSchemaEditor) -> None:
    """A day without calls was kept as a row of zeros, and is no row now."""
    apps.get_model("reports", "KeptCalls").objects.filter(by="all", dials=0).delete()


class Migration(migrations.Migration):
    dependencies = [("reports", "0011_access")]

    operations = [migrations.RunPython(drop_sums_of_nothing, migrations.RunPython.noop)]
