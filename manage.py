#!/usr/bin/env python3
"""Kontor's commands: `python manage.py help`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Imported here so that a missing installation is told in words instead of a traceback.
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        message = "Django is not installed for this Python: run `make demo`, or activate the environment in .venv"
        raise SystemExit(message) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
