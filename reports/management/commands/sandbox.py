"""`manage.py sandbox`: serve the simulated API."""

import signal
from argparse import ArgumentParser, RawTextHelpFormatter
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError

from reports.management.base import wrong
from reports.sandbox.faults import FAULTS, UnknownFault
from reports.sandbox.server import Sandbox
from reports.sandbox.world import World


class Command(BaseCommand):
    help = "Serve the simulated API on this computer, for the demo and for trying things out."
    requires_system_checks: Any = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawTextHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        faults = "\n".join(f"  {name:15} {text}" for name, text in FAULTS.items())
        parser.add_argument("--port", type=int, default=8790, help="default 8790; 0 is any free one")
        parser.add_argument("--seed", type=int, default=1, help="the same seed is the same world")
        parser.add_argument("--fault", dest="faults", action="append", default=[], metavar="NAME", help=faults)
        parser.add_argument(
            "--withhold",
            action="append",
            nargs="+",
            default=[],
            metavar="UUID",
            help="meetings that are never delivered and that share/summary counts all the same",
        )
        parser.add_argument("--rooms", type=int, default=60, help="rooms of the pool")
        parser.add_argument("--meetings-per-day", type=int, default=150, help="of an ordinary working day")
        parser.add_argument("--zone", default="Asia/Shanghai", help="the provider's time zone")

    def handle(
        self,
        *,
        port: int,
        seed: int,
        faults: list[str],
        withhold: list[list[str]],
        rooms: int,
        meetings_per_day: int,
        zone: str,
        **options: Any,
    ) -> None:
        if not 0 <= port <= 65535:
            raise wrong(f"--port is {port}. Give one from 1 to 65535.")
        if not (1 <= rooms <= 5000 and 1 <= meetings_per_day <= 100_000):
            raise wrong("--rooms goes from 1 to 5000, --meetings-per-day from 1 to 100000.")
        try:
            world = World(seed, ZoneInfo(zone), rooms, meetings_per_day)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise wrong(f"--zone is '{zone}', no known time zone.") from None
        try:
            undelivered = [uuid for group in withhold for uuid in group]
            server = Sandbox(world, port=port, faults=faults, undelivered=undelivered)
        except UnknownFault as error:
            raise wrong(str(error)) from None
        except OSError as error:
            raise CommandError(
                f"The port {port} cannot be used: {error.strerror}. Choose another one: --port {port % 65535 + 1}"
            ) from None

        def end(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, end)
        self.stdout.write(
            f"Serving the simulated API until Ctrl-C: "
            f"export UMEET_URL={server.url} UMEET_API_KEY={server.key} UMEET_API_SECRET={server.secret}"
        )
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.stop()
