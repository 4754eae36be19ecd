"""Middleware of our own."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from reports import kept


class SteadyMiddleware:
    """All figures of one answer agree on which sums are kept, which is asked for once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with kept.steady():
            return self.get_response(request)


class HtmxVaryMiddleware:
    """Pages and fragments share an address: caches are told what tells them apart.

    Every answer of a view varies, not only those that htmx asked for: a cached page must not be given
    to htmx either. `patch_vary_headers` adds to what others have set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        patch_vary_headers(response, ("HX-Request", "HX-History-Restore-Request"))
        return response
