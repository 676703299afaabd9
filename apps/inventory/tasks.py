"""What comes due in inventory: nothing yet."""

from __future__ import annotations

from runtime.timers import Timer

TIMERS: tuple[Timer, ...] = ()
