"""
A process of ``make simulate``: plays the seeds that it is given on standard input, one on a line, and tells each result
as a line of JSON.
"""

from __future__ import annotations

import json
import sys

import tests.conftest  # noqa: F401 - sets up Django on a database of its own

from django.core.management import call_command  # isort: skip

from tests.simulation.database import own_database  # isort: skip


def main() -> None:
    with own_database():
        call_command("migrate", verbosity=0)
        from tests.simulation.running import simulation

        with simulation() as run:
            for line in sys.stdin:
                result = vars(run(int(line)))
                if not result["broken"]:
                    result["trace"] = result["trace"] if "--trace" in sys.argv else []
                sys.stdout.write(json.dumps(result) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
