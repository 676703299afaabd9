"""How the provider behaves, by payment method. Times are seconds, at a pace of 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    ``becomes`` is the intent's status once confirmed, and ``then`` what it becomes by itself after ``after``.

    ``answer`` is how the question that moves the money is answered (confirm, or capture where it is held first): well,
    never, with a 500, cut off by a reset in the middle of the body, slowly, after the webhook, or in a way that nobody
    can understand. ``hidden``: looking it up is a 404 for so long. ``late``: a cancelled one succeeds so long after.
    ``twice``: its success is told twice. ``too_much`` is taken beside the amount, in minor units.
    """

    becomes: str = "succeeded"
    code: str = ""
    then: str = ""
    after: float = 0.0
    answer: str = "well"
    hidden: float = 0.0
    late: float = 0.0
    uncancellable: bool = False
    twice: bool = False
    refund_failures: int = 0
    refund_answer: str = "well"
    too_much: int = 0


DECLINED = "requires_payment_method"

METHODS = {
    "pm_card_visa": Method(),
    "pm_card_chargeDeclined": Method(becomes=DECLINED, code="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Method(becomes=DECLINED, code="insufficient_funds"),
    "pm_async": Method(becomes="processing", then="succeeded", after=2.0),
    "pm_async_fail": Method(becomes="processing", then=DECLINED, after=2.0, code="generic_decline"),
    "pm_fault_capture_then_timeout": Method(answer="never"),
    "pm_fault_capture_then_500": Method(answer="500"),
    "pm_fault_reset_mid_body": Method(answer="reset"),
    "pm_fault_unknown_10s": Method(answer="never", hidden=10.0),
    "pm_fault_late_success": Method(becomes="processing", late=3.0, twice=True),
    "pm_fault_processing_uncancellable": Method(
        becomes="processing", then="succeeded", after=4.0, uncancellable=True, twice=True
    ),
    "pm_fault_webhook_first": Method(answer="after_webhook"),
    "pm_fault_refund_fails_20": Method(refund_failures=20),
    "pm_fault_refund_then_timeout": Method(refund_answer="never"),
    "pm_fault_slow": Method(answer="slow"),
    "pm_fault_wrong_amount": Method(too_much=1),
    "pm_fault_authorization_lapses": Method(then="canceled", after=2.0),
    "pm_fault_nonsense": Method(becomes="processing", then="succeeded", after=2.0, answer="nonsense"),
    "pm_fault_html": Method(answer="html"),
    "pm_fault_redirect": Method(answer="redirect"),
    "pm_fault_flood": Method(answer="flood"),
}
