#!/usr/bin/env python
"""Roomledger's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        from django.core.management import execute_from_command_line

        from dashboard.env import EnvError
    except ImportError as error:
        sys.exit(f"Roomledger is not installed here ({error}). Install it with: pip install -e .")
    try:
        execute_from_command_line(sys.argv)
    except EnvError as error:
        # A wrong setting is the administrator's to mend: one line, no traceback.
        sys.exit(f"Roomledger cannot start: {error}")


if __name__ == "__main__":
    main()
