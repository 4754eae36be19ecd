"""What is wrong with a form: which fields a sentence speaks of, and where the focus goes first."""

from typing import Any

from django.forms import BaseForm, BoundField

# The id of the sentence about a form as a whole (components/form_errors.html).
WHOLE = "form-error"


def wrong_together(form: BaseForm, *names: str) -> None:
    """Mark the fields that an error of the whole form speaks of: which of them is wrong, nobody can tell."""
    for name in names:
        form.fields[name].widget.attrs.update({"aria-invalid": "true", "aria-describedby": WHOLE})


def attributes(field: BoundField) -> dict[str, Any]:
    """What a field gets besides its own attributes: the first that is wrong has the focus when the page comes."""
    form = field.form
    if not form.is_bound or not form.errors:
        return {}
    shown = [one for one in form if not one.is_hidden]
    wrong = [one for one in shown if one.errors or one.field.widget.attrs.get("aria-invalid")]
    return {"autofocus": bool(wrong) and wrong[0].name == field.name}
