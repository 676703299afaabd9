"""
A process that counts calls, as it is told on its standard input: ``3`` counts three, ``fork`` has a child count ten.

It says "done" after each. ``die`` ends it as if the power had gone.
"""

from __future__ import annotations

import os
import signal
import sys

from django.conf import settings

from runtime.telemetry import rates
from runtime.telemetry.metrics import count_call


def main() -> None:
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        settings.configure(CACHE_URL=None)
    for line in sys.stdin:
        match line.strip():
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "fork":
                child = os.fork()
                if child == 0:
                    _count(10)
                    rates.flush()
                    os._exit(0)
                os.waitpid(child, 0)
            case number:
                _count(int(number))
        sys.stdout.write("done\n")
        sys.stdout.flush()


def _count(times: int) -> None:
    for _ in range(times):
        count_call(callee="inventory", method="quote", way="remote", result="ok", seconds=0.001)


if __name__ == "__main__":
    main()
