"""What keeps a relay from sending is told beside its pulse: a broker that is away, or one that is full."""

from __future__ import annotations

from typing import Any

from runtime.pulses import beating

__all__ = ["BROKER_DOWN", "BROKER_FULL", "Ailing"]

BROKER_DOWN = "BrokerDown"
BROKER_FULL = "BrokerDiskFull"
_FULL_VALKEY = ("OOM ", "MISCONF ")
"""How Valkey begins to refuse a write for which it has no memory, or no disk (shared.oomerr and .bgsaveerr there)."""


class Ailing:
    """Of one domain's relay. RabbitMQ says by itself that it takes nothing (rabbitmq.com/docs/connection-blocked)."""

    def __init__(self, domain: str) -> None:
        self._domain, self._is_blocked = domain, False

    def connecting(self, *, amqp: bool) -> dict[str, Any]:
        """What a new connection needs for it."""
        self._is_blocked = False
        return {"on_blocked": self._blocked} if amqp else {}

    def lost(self, error: Exception) -> None:
        """The broker was not reached, or broke off, or did not say in time that it took something."""
        full = self._is_blocked or str(error).startswith(_FULL_VALKEY)
        beating.ails(self._domain, BROKER_FULL if full else BROKER_DOWN, str(error) or type(error).__name__)

    def passed(self, sent: bool) -> None:
        """A batch is through, and something of it went out."""
        if sent:
            self._is_blocked = False
            beating.well(self._domain)

    def _blocked(self, reason: str) -> None:
        """RabbitMQ says why; py-amqp does not hand that on."""
        self._is_blocked = True
        beating.ails(self._domain, BROKER_FULL, "RabbitMQ takes nothing more: its disk or its memory is full.")
