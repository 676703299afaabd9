"""What of the values is about calls to one domain, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.dynconf.declared import UnknownValue
from runtime.dynconf.values import value

__all__ = ["CallValues", "call_values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallValues:
    """How a domain is asked now. ``timeout`` and ``breaker_open`` are seconds."""

    timeout: float
    retry_percent: int
    breaker_failures: int
    breaker_open: float


def call_values(domain: str) -> CallValues | None:
    """The values of ``calls.<domain>.*``; None for a domain of which none are declared."""
    try:
        return CallValues(
            timeout=value(f"calls.{domain}.timeout"),
            retry_percent=value(f"calls.{domain}.retry_percent"),
            breaker_failures=value(f"calls.{domain}.breaker_failures"),
            breaker_open=value(f"calls.{domain}.breaker_open"),
        )
    except UnknownValue:
        return None
