"""The CSV tables, each at an address of its own."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from dashboard.pages import base
from reports import exports


@require_safe
def download(request: HttpRequest, table: str) -> HttpResponse | StreamingHttpResponse:
    """One CSV table under the filter of the query string."""
    return base.csv(request, exports.TABLES[table])
