"""/metrics: how the ledger is doing, for Prometheus.

Every figure comes from the database, so that it is the same whichever process answers; nothing is counted in a
process. No name, number or topic is in it. It is for callers on this computer, or for whoever has the token.
"""

from collections.abc import Iterator
from importlib import metadata
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reports.figures import health
from reports.figures.health import Health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Whoever was passed on by a proxy is not on this computer, though the proxy may be.
PASSED_ON = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures as Prometheus reads them; 404 for whoever is not to see them."""
    if not _may_see(request):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(health.health(timezone.now())))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)


def _may_see(request: HttpRequest) -> bool:
    scheme, _blank, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return bool(settings.METRICS_TOKEN) and constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    if any(name in request.headers for name in PASSED_ON):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _version() -> str:
    try:
        return metadata.version("roomledger")
    except metadata.PackageNotFoundError:
        return "unknown"


class _Figures(Collector):
    """What was asked of the database once, as Prometheus names it. What is unknown has no sample."""

    def __init__(self, found: Health) -> None:
        self.found = found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self.found
        build = _gauge(
            "build_info", "Version of the program, schema of the ledger, kind of database.", "version schema database"
        )
        build.add_metric([_version(), found.schema, health.database_kind()], 1)
        yield build
        age = _gauge("pull_last_success_age_seconds", "Seconds since a pull of the source ended well.", "source")
        failures = _gauge("pull_failures", "Failed attempts of the source since the last good one.", "source")
        refused = _gauge("pull_refused", "1 while the provider refuses the source.", "source")
        for source in found.sources:
            if source.age is not None:
                age.add_metric([source.name], source.age)
            failures.add_metric([source.name], source.failures)
            refused.add_metric([source.name], int(source.refused))
        yield from (age, failures, refused)
        for name, text, values in (
            ("due", "What is due to be asked for.", found.due),
            ("late", "What has been due for more than an hour.", found.late),
            ("kept_rows", "Rows that are kept.", found.kept),
        ):
            several = _gauge(name, text, "what")
            for what, value in values.items():
                several.add_metric([what], value)
            yield several
        for name, text, number in (
            ("pulls_running", "Pulls that are under way.", found.running),
            (
                "outage_seconds",
                "For how long no pull of a source has ended well, 0 while all is as usual.",
                found.outage,
            ),
            ("rejected_records", "Records that could not be read so far.", found.rejected),
            ("days_to_add_up", "Days whose sums wait to be made.", found.waiting_days),
            ("database_bytes", "Size of the database.", found.database),
        ):
            single = _gauge(name, text)
            single.add_metric([], number)
            yield single


def _gauge(name: str, text: str, labels: str = "") -> GaugeMetricFamily:
    return GaugeMetricFamily(f"roomledger_{name}", text, labels=labels.split())
