"""The WSGI application that the web server runs."""

import gc
import os
import sys

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

application = get_wsgi_application()

from dashboard.warm import warm  # noqa: E402 — the applications have to be there first
from reports import inuse  # noqa: E402

inuse.share()
if not settings.DEBUG:
    # Before the first answer: with many readers at once, those of a cold process were the slowest of all.
    warm()

# What is loaded by now stays: looking through all of it for rubbish took 70 ms of one answer in ten.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)

sys.setswitchinterval(0.0005)
