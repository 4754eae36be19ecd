"""Each file imports downward only: the order of the layers is written here once."""

import ast
from pathlib import Path

import pytest

LAYERS = [
    ["dashboard.env", "dashboard.formats.en", "dashboard.formats.zh_Hans"],
    ["reports.events"],
    ["reports.inuse", "reports.logs", "reports.troubles", "reports.stopping", "reports.money"],
    ["reports.intervals", "reports.text", "reports.filter", "reports.fields", "reports.moments"],
    ["reports.provider.errors", "reports.provider.ahead"],
    ["reports.provider.payloads"],
    ["reports.provider.client", "reports.measures"],
    ["reports.prepared"],
    ["reports.reading"],
    ["reports.sandbox.words", "reports.sandbox.faults"],
    ["reports.sandbox.world"],
    ["reports.sandbox.server"],
    ["reports.expressions"],
    ["reports.querysets"],
    ["reports.keptmodels"],
    ["reports.models", "reports.triggers"],
    ["reports.clockwork", "reports.bulk", "reports.access"],
    ["reports.courses"],
    ["reports.search"],
    [
        "reports.summaries",
        "reports.sums",
        "reports.leases",
        "reports.rawrows",
        "reports.checks",
        "reports.schedule",
    ],
    ["reports.summing"],
    ["reports.kept"],
    ["reports.holding"],
    ["reports.fresh"],
    ["reports.folding"],
    ["reports.aside"],
    ["reports.privacy"],
    ["reports.maintenance"],
    ["reports.figures.period"],
    ["reports.figures.groups"],
    ["reports.figures.added"],
    ["reports.figures.rooms", "reports.figures.coverage", "reports.figures.version"],
    ["reports.figures.health"],
    # Before pulling: which days' totals are asked is for the comparison to say.
    ["reports.figures.reconciliation"],
    ["reports.importer"],
    ["reports.verification"],
    ["reports.backups"],
    ["reports.pulling"],
    ["reports.tasks"],
    [
        "reports.figures.attendance",
        "reports.figures.usage",
        "reports.figures.occupancy",
        "reports.figures.telephony",
        "reports.figures.forecast",
    ],
    [
        "reports.figures.people",
        "reports.figures.pool",
        "reports.figures.room_usage",
        "reports.figures.timeline",
        "reports.figures.record",
    ],
    ["reports.figures.booking", "reports.figures.series"],
    ["reports.csvtable"],
    ["reports.longtables"],
    ["reports.exports"],
    ["reports.admin", "reports.apps", "reports.management.base"],
    ["reports.management.commands"],
    [
        "dashboard.sentences",
        "dashboard.models",
        "dashboard.smtp",
        "dashboard.checks",
        "dashboard.proxies",
        "dashboard.form_errors",
        "dashboard.passwords",
    ],
    ["dashboard.roles", "dashboard.limits"],
    ["dashboard.adminsite", "dashboard.adminapp"],
    ["dashboard.audit", "dashboard.erasing"],
    ["dashboard.tokens"],
    [
        "dashboard.celery",
        "dashboard.filters",
        "dashboard.middleware",
        "dashboard.remembered",
        "dashboard.signin",
        "dashboard.templatetags.ledger",
    ],
    [
        "dashboard.cards",
        "dashboard.charts",
        "dashboard.coverage_strip",
        "dashboard.heat",
        "dashboard.tables",
        "dashboard.templatetags.fields",
        "dashboard.templatetags.shell",
    ],
    ["dashboard.templatetags.rows"],
    ["dashboard.pool_charts", "dashboard.booking_charts", "dashboard.attendance_grid"],
    ["dashboard.pool_cards"],
    ["dashboard.mailing", "dashboard.outlook", "dashboard.places", "dashboard.saved_views", "dashboard.accounts"],
    [
        "dashboard.changes",
        "dashboard.context",
        "dashboard.notices",
        "dashboard.room_days",
        "dashboard.timeline",
        "dashboard.usage_cards",
    ],
    ["dashboard.budgets", "dashboard.outages", "dashboard.setup", "dashboard.templatetags.views"],
    ["dashboard.pages.base"],
    ["dashboard.pages.data", "dashboard.pages.meetings", "dashboard.pages.people", "dashboard.pages.rooms"],
    ["dashboard.pages.series", "dashboard.pages.setup"],
    # Whose figures are mailed.
    [
        "dashboard.pages.booked",
        "dashboard.pages.overview",
        "dashboard.pages.pool",
        "dashboard.pages.room",
        "dashboard.pages.telephony",
    ],
    ["dashboard.mail_reports"],
    ["dashboard.tasks"],
    ["dashboard.pages.kept"],
    ["dashboard.pages"],
    ["dashboard.urls", "dashboard.launcher", "dashboard.warm"],
    ["dashboard.management.commands", "dashboard.settings", "dashboard.apps", "dashboard.admin", "dashboard.wsgi"],
]
# A package's own __init__ is no layer; nothing below may import the sandbox but what runs it.
RUNS_THE_SANDBOX = {"reports.management.commands.sandbox", "dashboard.launcher"}


def modules(repository: Path) -> dict[str, Path]:
    found = {}
    for package in ("dashboard", "reports"):
        for file in (repository / package).rglob("*.py"):
            if "migrations" not in file.parts and file.name != "__init__.py":
                found[".".join(file.relative_to(repository).with_suffix("").parts)] = file
    return found


def layer(module: str) -> int:
    """The number of a module's layer; a package's entry stands for all its modules without one of their own."""
    for name in (module, module.rpartition(".")[0]):
        for number, names in enumerate(LAYERS):
            if name in names:
                return number
    raise AssertionError(f"{module} has no layer: give it one")


def imports(file: Path, known: set[str]) -> set[str]:
    found = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        # What only the type checker sees makes no circle.
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & known


def test_every_import_points_downward(repository: Path) -> None:
    known = modules(repository)
    wrong = [
        f"{module} imports {other}"
        for module, file in known.items()
        for other in imports(file, set(known))
        if layer(other) >= layer(module)
    ]
    assert wrong == []


def test_reports_never_imports_the_dashboard(repository: Path) -> None:
    known = modules(repository)
    wrong = [
        f"{module} imports {other}"
        for module, file in known.items()
        if module.startswith("reports.")
        for other in imports(file, set(known))
        if other.startswith("dashboard.")
    ]
    assert wrong == []


def test_only_the_demo_and_its_command_run_the_sandbox(repository: Path) -> None:
    known = modules(repository)
    users = {
        module
        for module, file in known.items()
        if not module.startswith("reports.sandbox.")
        and any(other.startswith("reports.sandbox.") for other in imports(file, set(known)))
    }
    assert users == RUNS_THE_SANDBOX


@pytest.mark.parametrize("package", ["provider", "sandbox"])
def test_provider_and_sandbox_know_no_django(repository: Path, package: str) -> None:
    for file in (repository / "reports" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(name.split(".")[0] == "django" for name in names), file
