"""The site's settings with a history of HISTORY days: what is tested is not the length of it."""

import os

from dashboard.settings import *  # noqa: F403

HISTORY_DAYS = int(os.environ["HISTORY"])
