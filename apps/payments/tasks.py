"""What comes due in payments."""

from __future__ import annotations

from apps.payments.service import SERVICE
from runtime.timers import Timer

TIMERS = (
    Timer(name="payments.sandbox_webhooks", every=0.5, run=SERVICE.deliver_sandbox_webhooks),
    Timer(name="payments.refunds", every=1.0, run=SERVICE.retry_refunds),
    Timer(name="payments.look_again", every=2.0, run=SERVICE.look_again),
)
