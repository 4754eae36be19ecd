"""What the first pages of a process would load, loaded before it is asked for one."""

from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import URLResolver, get_resolver, reverse
from django.utils import translation


def warm() -> None:
    """Import all views, compile all templates, read the catalogues. Asks no database."""
    _import(get_resolver())
    for status in (400, 403, 404, 500):
        get_resolver().resolve_error_handler(status)
    folder = Path(settings.BASE_DIR) / "templates"
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            get_template(file.relative_to(folder).as_posix())
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("Meetings")
            reverse("overview")


def _import(resolver: URLResolver) -> None:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            _import(pattern)
