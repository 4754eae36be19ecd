"""What the first pages of a process would load, loaded before it is asked for one."""

from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_resolver, reverse
from django.utils import translation


def warm() -> None:
    """Import all views, compile all templates, read the catalogues. Asks no database: done before processes fork."""
    for pattern in get_resolver().url_patterns:
        _import(pattern)
    for folder in (Path(found) for engine in settings.TEMPLATES for found in engine["DIRS"]):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                get_template(file.relative_to(folder).as_posix())
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("Meetings")
            reverse("overview")


def _import(pattern: object) -> None:
    for inner in getattr(pattern, "url_patterns", ()):
        _import(inner)
