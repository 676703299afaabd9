"""What comes due in users: mail that is owed, and what is to be forgotten."""

from __future__ import annotations

from apps.users.service import SERVICE
from runtime.timers import Timer

TIMERS: tuple[Timer, ...] = (
    Timer(name="users.mail", every=0.5, run=SERVICE.send_due_mail),
    Timer(name="users.prune_mail", every=10, run=SERVICE.prune_mail),
    Timer(name="users.prune_tokens", every=600, run=SERVICE.prune_tokens),
)
