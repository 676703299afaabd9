"""What comes due in orders: nothing of its own. Sagas are resumed by runtime."""

from __future__ import annotations

from runtime.timers import Timer

TIMERS: tuple[Timer, ...] = ()
