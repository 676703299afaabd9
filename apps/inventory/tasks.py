"""What comes due in inventory."""

from __future__ import annotations

from apps.inventory.service import SERVICE
from runtime.timers import Timer

TIMERS = (Timer(name="inventory.overdue", every=30.0, run=SERVICE.alarm_overdue),)
