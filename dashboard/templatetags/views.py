"""The list of saved views in the filter bar."""

from typing import Any

from django import template

from dashboard import places, saved_views

register = template.Library()
MAY_MAIL = "dashboard.add_mailreport"


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
        "may_mail": user.has_perm(MAY_MAIL),
    }
