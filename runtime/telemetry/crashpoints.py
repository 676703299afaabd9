"""
Named places at which a test can have the process die, as if the power had gone.

``CRASH_AT=saga.after_step_before_record:3`` kills the process with SIGKILL when it gets there for the third time. It
is heeded only where ``MITOSIS_ENV=test``; everywhere else a crash point costs one comparison and does nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_at, _, _nth = os.environ.get("CRASH_AT", "").partition(":")
_armed = _at if os.environ.get("MITOSIS_ENV") == "test" else ""
_passed: Counter[str] = Counter()


def crashpoint(name: str) -> None:
    if name != _armed:
        return
    _passed[name] += 1
    if _passed[name] == int(_nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
