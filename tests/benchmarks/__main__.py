"""The benchmark: a large company in a database of its own, then every page and CSV, with ratios to a floor;
and the way from the provider's answers into a database.

python -m tests.benchmarks                       SQLite in a temporary folder
python -m tests.benchmarks --share 0.01          a hundredth of the size
python -m tests.benchmarks --only ingest         a tenth of the size is pulled over HTTP into another, empty database
python -m tests.benchmarks --database postgres://postgres@127.0.0.1:5432/bench    an empty database
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime

PARTS = ("ingest", "pages", "csv", "readers", "browser", "start")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--share", type=float, help="the size as a part of the large company's (1; what is pulled by ingest: 0.1)"
    )
    parser.add_argument(
        "--database", default="", help="URL of an empty database; SQLite in a temporary folder unless given"
    )
    parser.add_argument("--turns", type=int, default=20, help="how often each page is asked for")
    parser.add_argument("--pulls", type=int, default=3, help="how often ingest is measured; the median counts")
    parser.add_argument("--only", choices=PARTS, help="just one part")
    parser.add_argument("--table", action="append", default=[], help="of the CSV tables just this one; repeatable")
    parser.add_argument("--encoding", default="identity", help="of the CSV tables, as a browser asks: gzip")
    parser.add_argument("--readers", type=int, default=50, help="how many read at once")
    parser.add_argument("--seconds", type=float, default=60, help="how long they read")
    parser.add_argument("--think", type=float, default=3, help="seconds that a reader looks at a page, on average")
    parser.add_argument("--keep", default="", help="folder of the data; filled when it is empty, used again when not")
    chosen = parser.parse_args()

    if chosen.only == "start":
        from tests.benchmarks import start

        spent, length = start.start()
        print(f"start --demo in an empty folder to the first full page: {spent:.1f} s ({length / 1000:.0f} kB)")
        return 0

    folder = chosen.keep or tempfile.mkdtemp(prefix="roomledger-benchmark-")
    if chosen.only == "readers" and chosen.keep and os.listdir(folder):
        # What is pulled meanwhile stays out of the folder that is kept.
        copy = tempfile.TemporaryDirectory(prefix="roomledger-readers-")
        folder = shutil.copytree(folder, os.path.join(copy.name, "data"))
    os.environ["DATA_DIR"] = folder
    os.environ["UMEET_API_KEY"] = os.environ["UMEET_API_SECRET"] = "benchmark"
    os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    if chosen.database:
        os.environ["DATABASE_URL"] = chosen.database
    else:
        os.environ.pop("DATABASE_URL", None)

    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from reports import folding
    from reports.exports import TABLES
    from reports.models import Meeting
    from tests.benchmarks import data, dumps, ingest, pages, readers

    if chosen.only in (None, "ingest"):
        share = 0.1 if chosen.share is None else chosen.share
        for line in ingest.lines([ingest.measure(share, chosen.database) for _ in range(max(1, chosen.pulls))]):
            print(line, flush=True)
    if chosen.only == "ingest":
        return 0
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    size = data.LARGE.part(1.0 if chosen.share is None else chosen.share)
    began = time.perf_counter()
    if not Meeting.objects.exists():
        now = datetime.now(UTC)
        counts = data.fill(size, now.date(), now)
        print(f"{connection.vendor}: {counts} made in {time.perf_counter() - began:.0f} s")
    else:
        print(f"{connection.vendor}: {Meeting.objects.count()} meetings are there")
    began = time.perf_counter()
    if days := folding.fold():
        print(f"the sums of {days} days made in {time.perf_counter() - began:.0f} s")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")  # the server's own does it within minutes, where it is on
    if chosen.only in (None, "pages"):
        heads = ("again", "p95", "anew", "p95", "anew above empty", "kB")
        print(f"\n{'ms of a page that is asked again, and anew':<58}" + "".join(f"{head:>9}" for head in heads))
        floor = None
        for one in pages.pages(chosen.turns):
            floor = floor or one
            told = (one.median, one.p95, one.anew, one.anew_p95, one.anew_p95 - floor.anew)
            numbers = "".join(f"{seconds * 1000:>9.1f}" for seconds in told)
            print(f"{one.what:<58}{numbers}{one.size / 1000:>9.0f}", flush=True)
    if chosen.only in (None, "csv"):
        print(
            f"\n{'CSV':<16}{'first byte ms':>14}{'first row ms':>13}{'whole s':>9}{'bare tool s':>13}{'ratio':>7}"
            f"{'MB':>8}{'memory MB':>11}   p95 ms of others meanwhile"
        )
        for dump in dumps.dumps(chosen.table or list(TABLES), chosen.encoding):
            bare = f"{dump.floor:>13.2f}{dump.whole / dump.floor:>7.1f}" if dump.floor else f"{'–':>13}{'–':>7}"
            held = f"{'–':>11}" if dump.memory is None else f"{dump.memory:>11.0f}"
            others = ", ".join(f"{address} {seconds * 1000:.0f}" for address, seconds in dump.others.items())
            print(
                f"{dump.table:<16}{dump.first_byte * 1000:>14.0f}{dump.first_row * 1000:>13.0f}{dump.whole:>9.2f}{bare}"
                f"{dump.size / 1e6:>8.1f}{held}   {others}"
            )
            sys.stdout.flush()
    if chosen.only in (None, "readers"):
        print(f"\n{chosen.readers} readers for {chosen.seconds:.0f} s, {chosen.think:g} s a page, while a pull runs")
        for line in readers.report(readers.read(chosen.readers, chosen.seconds, chosen.think)):
            print(line)
    if chosen.only == "browser":  # needs a Chromium: never unasked
        from tests.benchmarks import browser

        print(f"\n{'page':<26}{'long tasks':>11}{'longest ms':>11}{'in all ms':>11}{'drawn ms':>10}{'HTML kB':>9}")
        for load in browser.seen(chosen.turns):
            print(
                f"{load.address:<26}{load.tasks:>11}{load.longest:>11.0f}{load.blocked:>11.0f}{load.drawn:>10.0f}"
                f"{load.size / 1000:>9.0f}"
            )
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
