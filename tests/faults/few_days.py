"""The site's settings with a history of some weeks: what is disturbed is not the length of it."""

from dashboard.settings import *  # noqa: F403

HISTORY_DAYS = 50
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["OPTIONS"]["timeout"] = 1  # noqa: F405
