"""The WSGI application that the web server runs."""

import gc
import os
import sys
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

application = get_wsgi_application()

from dashboard.warm import warm  # noqa: E402 — the applications have to be there first
from reports import inuse  # noqa: E402

inuse.share()
if not settings.DEBUG:
    # Beside the first answers: they do not wait for what other pages need.
    threading.Thread(target=warm, name="warm", daemon=True).start()

# What is loaded by now stays: looking through all of it for rubbish took 70 ms of one answer in ten.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)

sys.setswitchinterval(0.0005)
