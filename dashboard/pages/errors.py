"""What a visitor sees when a request is refused, or when something broke."""

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils.translation import gettext as _

from dashboard.middleware import too_large
from reports import logs, troubles

# These pass, or somebody can make them pass: the site is not at fault, and a proxy may ask again.
PASSING = {troubles.FULL, troubles.LOCKED, troubles.AWAY, troubles.NOT_WRITABLE}


def broken(request: HttpRequest) -> HttpResponse:
    """The page for an error that nothing met; 503 and what to do where it is the database's disk, lock or server."""
    error = sys.exc_info()[1]
    trouble = troubles.kind(error) if isinstance(error, DatabaseError) else ""
    status = 503 if trouble in PASSING else 500
    # No request goes along: what would be asked of it may be what broke.
    context = {"code": status, "trouble": trouble, "request_id": logs.current("request")}
    response = HttpResponse(loader.render_to_string("500.html", context), status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, or 413 where it was too much. Nothing of the request is read here: reading it may be what failed."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    reason = ""
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        reason = _("The request holds more than %(count)d values.") % {"count": most}
    return render(request, "400.html", {"reason": reason}, status=400)
