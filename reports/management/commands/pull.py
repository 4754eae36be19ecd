"""`manage.py pull`: pull now, in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from reports import events, pulling, schedule
from reports.management.base import Bar, LedgerCommand, day, last_line, stops_on_sigterm, wrong
from reports.models import Pull
from reports.text import read_numbers


class Command(LedgerCommand):
    help = "Pull now: the numbers given, or the days, or the rooms, or all that is due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="ask about these, tracked or not")
        parser.add_argument("--from", dest="first", metavar="D", help="first day, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", metavar="D", help="last day, YYYY-MM-DD (default: today)")
        parser.add_argument("--rooms", action="store_true", help="the rooms' names and capacities")

    def handle(self, *, numbers: list[str], first: str | None, last: str | None, rooms: bool, **options: Any) -> None:
        now = pulling.utcnow()
        wanted = read_numbers("\n".join(numbers))
        if wanted.wrong:
            shown = ", ".join(f"'{piece[:40]}'" for _, piece in wanted.wrong[:5])
            raise wrong(f"No meeting number of 9 to 11 digits: {shown}. Nothing was pulled.")
        days = None
        if first is None and last is not None:
            raise wrong("--to needs --from as well.")
        if first is not None:
            begin = day(first, "--from")
            end = day(last, "--to") if last is not None else schedule.provider_today(now)
            if begin > end:
                raise wrong(f"--from {begin} is after --to {end}.")
            days = (begin, end)
        try:
            client = pulling.make_client()
        except (pulling.NotConfigured, ValueError) as error:
            raise CommandError(str(error)) from None

        stops_on_sigterm()
        asked: dict[str, Any] = {"numbers": wanted.found} if wanted.found else {}
        asked |= {"from": str(days[0]), "to": str(days[1])} if days else {}
        asked |= {"rooms": True} if rooms else {}
        events.tell("pull-started", by="command", **asked)
        everything = not (wanted.found or days or rooms)
        bar = Bar(self.stderr)
        pulls: list[Pull | None] = []
        counted: list[Pull | None] = []
        with client:
            try:
                if rooms or (everything and settings.UMEET_PULL_DATES and schedule.rooms_are_due(now)):
                    pulls.append(pulling.pull_rooms(client, forced=True, watch=bar))
                    counted += pulls if rooms else []
                if wanted.found or everything:
                    found = wanted.found or None
                    counted.append(pulling.pull_numbers(client, numbers=found, forced=True, watch=bar))
                if everything and settings.UMEET_PULL_DATES:
                    schedule.schedule_recent(now)
                if days or (everything and settings.UMEET_PULL_DATES):
                    counted.append(pulling.pull_days(client, days=days, forced=True, watch=bar))
                if everything and settings.UMEET_PULL_DATES:
                    schedule.schedule_totals(now, again=True)
                    schedule.wake_totals(now)
                    pulls.append(pulling.pull_totals(client, forced=True, watch=bar))
                    # They may have counted what a day's last pull, which was earlier, did not bring.
                    counted.append(pulling.pull_days(client, forced=True, watch=bar))
            except KeyboardInterrupt:
                raise CommandError("Interrupted. What was imported stays; the rest is still due.") from None
        made = [pull for pull in counted if pull is not None]
        ended_badly = [
            pull
            for pull in dict.fromkeys([*pulls, *made])
            if pull is not None and pull.state not in (Pull.State.DONE, Pull.State.PARTIAL)
        ]
        self.stdout.write(last_line(made))
        rejected = sum(pull.rejected for pull in made)
        if rejected:
            self.stderr.write(
                f"{rejected} record{'s' if rejected > 1 else ''} could not be read and "
                f"{'are' if rejected > 1 else 'is'} kept with the reason: see Data in the dashboard."
            )
        for pull in made:
            if pull.state == Pull.State.PARTIAL:
                self.stderr.write(f"{pull.error} The days concerned are asked for again.")
        if ended_badly:
            raise CommandError(" ".join(dict.fromkeys(pull.error for pull in ended_badly)))
