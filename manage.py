#!/usr/bin/env python
"""The command line of Mitosis: `manage.py help` lists what it can do."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db.utils import OperationalError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.values import BadSetting

    try:
        execute_from_command_line(sys.argv)
    except BadSetting as error:
        sys.exit(str(error))
    except OperationalError as error:
        from config.environment import ENVIRONMENT

        if ENVIRONMENT.databases_known:
            raise
        sys.exit(f"No database is known: start one with `make up`, or set DATABASE_URL. ({error})".strip())


if __name__ == "__main__":
    main()
