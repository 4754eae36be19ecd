"""What tells whether anything that figures are made of has changed."""

from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from reports import kept, rawrows
from reports.keptmodels import Touched
from reports.models import Ledger, Licence, Pull, PulledDay, Room


class Version(NamedTuple):
    """The state of what is kept. Two that are equal stand for the same figures, but for the moving hand of the clock.

    ledger: changes with every meeting and call and every day pulled. rest: with the rooms of the pool, with the names
    that administrators gave and with what is rented.
    running: whether a meeting runs, whose figures grow. pulling: whether a pull is at work.
    """

    ledger: tuple[Any, ...]
    rest: int
    running: bool
    pulling: bool


def version() -> Version:
    """The state at this moment.

    Between two folds touched days are only added, so that their number tells those states apart.
    """
    quote = connection.ops.quote_name
    names = {model: quote(model._meta.db_table) for model in (Ledger, Touched, PulledDay, Pull, Licence, Room)}
    with connection.cursor() as cursor:
        # One statement, hence one state. Only names of our own models are in the text.
        cursor.execute(
            f"SELECT (SELECT folds FROM {names[Ledger]}), (SELECT COUNT(*) FROM {names[Touched]}), "  # noqa: S608
            f"EXISTS (SELECT 1 FROM {names[Pull]} WHERE ended_at IS NULL)"
        )
        folds, touched, pulling = cursor.fetchone()
        cursor.execute(
            f"SELECT COUNT(*), COUNT(complete_at), MAX(complete_at), MAX(asked_at), MIN(day) FROM {names[PulledDay]}"  # noqa: S608
        )
        days = cursor.fetchone()
    # A temporary room comes with its meeting and has no name at the provider: but for a name of ours, it touches a day.
    named = Room.objects.filter(Q(temporary=False) | ~Q(label="")).order_by()
    rooms = tuple(rawrows.every(named.values_list(*(field.attname for field in Room._meta.concrete_fields))))
    licences = Licence.objects.order_by()
    rented = tuple(rawrows.every(licences.values_list("pk", "last_seen_at", "pay_type", "expire_date")))
    return Version((folds or 0, touched, *days), hash((rooms, rented)), bool(kept.running_ids()), bool(pulling))
