"""The list of saved views in the filter bar."""

import secrets
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from dashboard import places, roles, saved_views

register = template.Library()

# What stands in a page that many may see for what is an account's own, and the template that is put there.
# Nobody can guess one: what was reported cannot hold any.
_HOLES = {
    "picker": (f"<!--{secrets.token_hex(16)}-->", "components/views_of_account.html"),
    "save": (f"<!--{secrets.token_hex(16)}-->", "components/save_view.html"),
}
HOLES = dict(_HOLES.values())


@register.simple_tag
def views_hole(name: str) -> SafeString:
    """Where the saved views of the account that asks go: "picker", the list, or "save", the form."""
    return mark_safe(_HOLES[name][0])  # noqa: S308


@register.inclusion_tag("components/views_picker.html", takes_context=True)
def views_picker(context: dict[str, Any]) -> dict[str, Any]:
    """Own and shared views, and whether the page that is shown can be kept or mailed."""
    user, form = context["request"].user, context["filter_form"]
    here = f"{form['action']}?{form['query']}" if form["query"] else form["action"]
    return {
        **saved_views.grouped(user, here),
        "path": form["action"],
        "query": form["query"],
        "can_save": places.is_one(form["action"]),
        "may_mail": roles.may_mail(user),
        "may_share": user.has_perm(roles.MAY_SHARE),
    }
