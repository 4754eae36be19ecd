"""What the processes of the site load before their first answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOADED = """
import json
import sys
import django
django.setup()
from django.template import engines
from dashboard.warm import warm
warm()
loader = engines["django"].engine.template_loaders[0]
templates = [template.origin.name for template in loader.get_template_cache.values()]
json.dump([[*sys.modules], templates], sys.stdout)
"""


def test_all_views_and_templates_are_loaded_without_a_database(tmp_path):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATA_DIR": str(tmp_path),
        "DEBUG": "0",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    }
    told = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    modules, templates = map(set, json.loads(told))
    pages = {f"dashboard.pages.{file.stem}" for file in (ROOT / "dashboard" / "pages").glob("*.py")}
    assert pages - {"dashboard.pages.__init__"} <= modules
    assert {str(file) for file in (ROOT / "templates").rglob("*.html")} <= templates
