"""What comes due in inventory."""

from __future__ import annotations

from apps.inventory.service import SERVICE
from runtime.timers import Timer

TIMERS = (
    Timer(name="inventory.overdue", every=30.0, run=SERVICE.alarm_overdue),
    # Some thousand skus are looked at whole within 15 s; a million take half an hour, at 2,500 a look.
    Timer(name="inventory.drift", every=5.0, run=SERVICE.look_for_drift),
)
