"""The fields of forms as the pages draw them."""

from typing import Any

from django import template
from django.forms import BoundField

from dashboard import form_errors

register = template.Library()


@register.filter
def drawn(field: BoundField) -> str:
    """A field, and the focus with it where it is the first that is wrong."""
    return field.as_widget(attrs=form_errors.attributes(field))


@register.filter
def choices(field: BoundField) -> list[Any]:
    """The boxes of a field of several; the first has the focus where the field is the first that is wrong."""
    found = list(field)
    if found and form_errors.attributes(field).get("autofocus"):
        found[0].data["attrs"]["autofocus"] = True
    return found
