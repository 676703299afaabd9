"""What comes due in users: refresh tokens that have ended are forgotten."""

from __future__ import annotations

from apps.users.service import SERVICE
from runtime.timers import Timer

TIMERS: tuple[Timer, ...] = (Timer(name="users.prune_tokens", every=600, run=SERVICE.prune_tokens),)
