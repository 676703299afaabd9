"""What the provider has and does: intents, refunds and stored answers, each change in the journal before it is told."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.provider.journal import Journal, lines
from tests.provider.methods import DECLINED, METHODS, Method

Row = dict[str, Any]


class Refused(Exception):
    """An answer that is an error. ``kept``: it is the answer for good under its idempotency key."""

    def __init__(self, status: int, kind: str, message: str, *, kept: bool = False, **more: Any) -> None:
        super().__init__(message)
        self.status, self.kept = status, kept
        self.body = {"error": {"type": kind, "message": message, **more}}


class Money:
    """``tell(kind, row)`` announces an event. All methods are safe from several threads."""

    def __init__(self, path: Path, *, pace: float, tell: Callable[..., None]) -> None:
        self.lock = threading.RLock()
        self.intents: dict[str, Row] = {}
        self.refunds: dict[str, Row] = {}
        self.answers: dict[str, Row] = {}
        self._pace, self._tell = pace, tell
        for line in lines(path):
            self._take(line)
        self._journal = Journal(path)
        threading.Thread(target=self._let_things_happen, daemon=True).start()

    def _take(self, line: Row) -> None:
        if line["line"] == "intent":
            self.intents[line["intent"]["id"]] = line["intent"]
        elif line["line"] == "refund":
            self.refunds[line["refund"]["id"]] = line["refund"]
        elif line["line"] == "answer":
            self.answers[line["key"]] = line["answer"]

    def keep_answer(self, key: str, answer: Row) -> None:
        self.answers[key] = answer
        self._journal.write({"line": "answer", "key": key, "answer": answer})

    # --- Intents ----------------------------------------------------------------------------------------------------

    def prepare(self, words: Mapping[str, str]) -> Row:
        amount, currency = words.get("amount", ""), words.get("currency", "")
        if not amount.isdigit() or not currency.islower():
            raise Refused(400, "invalid_request_error", f"bad amount {amount!r} or currency {currency!r}")
        intent = {
            "id": f"pi_{secrets.token_hex(8)}",
            "object": "payment_intent",
            "amount": int(amount),
            "currency": currency,
            "status": DECLINED,
            "capture_method": words.get("capture_method", "automatic"),
            "metadata": _metadata(words),
            "created": int(time.time()),
            "received": 0,
            "moved_at": None,
            "refunded": 0,
            "refund_tries": 0,
            "error": None,
            "method": "",
            "due": None,
            "hidden_until": 0.0,
        }
        self._save(intent)
        return intent

    def confirm(self, id: str, words: Mapping[str, str]) -> Row:
        intent, name = self.intent(id), words.get("payment_method", "")
        if intent["status"] not in {DECLINED, "requires_confirmation"}:
            raise _unexpected(intent)
        method = METHODS.get(name)
        if method is None:
            message = f"No such PaymentMethod: {name!r}"
            raise Refused(400, "invalid_request_error", message, code="resource_missing", param="payment_method")
        intent["method"], intent["error"] = name, None
        if method.becomes == DECLINED:
            raise self._decline(intent, method)
        intent["status"] = method.becomes
        if intent["capture_method"] == "manual" and method.becomes == "succeeded":
            intent["status"] = "requires_capture"
        if method.then and not (method.then == "canceled" and intent["status"] == "succeeded"):
            intent["due"] = [time.time() + method.after * self._pace, method.then]
        self._settle(intent)
        return intent

    def capture(self, id: str) -> Row:
        intent = self.intent(id)
        if intent["status"] != "requires_capture":
            raise _unexpected(intent)
        intent["status"], intent["due"] = "succeeded", None
        self._settle(intent)
        return intent

    def cancel(self, id: str) -> Row:
        intent, method = self.intent(id), self.method(id)
        if intent["status"] in {"succeeded", "canceled"} or (method.uncancellable and intent["status"] == "processing"):
            raise _unexpected(intent)
        intent["status"] = "canceled"
        intent["due"] = [time.time() + method.late * self._pace, "succeeded"] if method.late else None
        self._settle(intent)
        return intent

    def look_up(self, id: str) -> Row:
        intent = self.intent(id)
        if intent["hidden_until"] > time.time():
            raise Refused(404, "invalid_request_error", f"No such payment_intent: {id!r}", code="resource_missing")
        return intent

    def intent(self, id: str) -> Row:
        if id not in self.intents:
            raise Refused(404, "invalid_request_error", f"No such payment_intent: {id!r}", code="resource_missing")
        return self.intents[id]

    def method(self, id: str) -> Method:
        return METHODS.get(self.intents[id]["method"], Method()) if id in self.intents else Method()

    # --- Refunds ----------------------------------------------------------------------------------------------------

    def refund(self, words: Mapping[str, str]) -> Row:
        intent, amount = self.intent(words.get("payment_intent", "")), int(words.get("amount", "0"))
        method = self.method(intent["id"])
        if not 0 < amount <= intent["received"] - intent["refunded"]:
            raise Refused(
                400, "invalid_request_error", "more than is left of the charge", code="charge_already_refunded"
            )
        intent["refund_tries"] += 1
        fails = intent["refund_tries"] <= method.refund_failures
        if fails and intent["refund_tries"] % 2:
            self._save(intent)
            raise Refused(500, "api_error", "something went wrong", kept=True)
        refund = {
            "id": f"re_{secrets.token_hex(8)}",
            "object": "refund",
            "payment_intent": intent["id"],
            "amount": amount,
            "currency": intent["currency"],
            "metadata": _metadata(words),
            "status": "failed" if fails else "succeeded",
            "created": int(time.time()),
        }
        moved = []
        if not fails:
            intent["refunded"] += amount
            key, charge_key = refund["metadata"].get("key", ""), intent["metadata"].get("key", "")
            moved = [{"line": "refunded", "id": refund["id"], "key": key, "charge_key": charge_key, "amount": amount}]
        self.refunds[refund["id"]] = refund
        self._save(intent, {"line": "refund", "refund": refund}, *moved)
        self._tell("refund.failed" if fails else "refund.updated", refund)
        return refund

    # --- What happens ----------------------------------------------------------------------------------------------

    def _decline(self, intent: Row, method: Method) -> Refused:
        intent["error"] = {"type": "card_error", "code": "card_declined", "decline_code": method.code}
        self._save(intent)
        self._tell("payment_intent.payment_failed", shown(intent))
        words = {"code": "card_declined", "decline_code": method.code}
        return Refused(402, "card_error", "Your card was declined.", kept=True, payment_intent=shown(intent), **words)

    def _settle(self, intent: Row) -> None:
        """Another status, the money that moved with it, and the event that tells of it."""
        method, moved = METHODS.get(intent["method"], Method()), []
        if intent["status"] == "succeeded":
            intent["received"], intent["moved_at"] = intent["amount"] + method.too_much, int(time.time())
            intent["hidden_until"] = time.time() + method.hidden * self._pace
            key = intent["metadata"].get("key", "")
            moved = [{"line": "capture", "id": intent["id"], "key": key, "amount": intent["received"]}]
        if intent["status"] == DECLINED:
            intent["error"] = {"type": "card_error", "code": "card_declined", "decline_code": method.code}
        self._save(intent, *moved)
        kinds = {DECLINED: "payment_failed", "requires_capture": "amount_capturable_updated"}
        kind = f"payment_intent.{kinds.get(intent['status'], intent['status'])}"
        self._tell(kind, shown(intent), twice=method.twice and intent["status"] == "succeeded")

    def _save(self, intent: Row, *more: Row) -> None:
        self.intents[intent["id"]] = intent
        self._journal.write({"line": "intent", "intent": intent}, *more)

    def _let_things_happen(self) -> None:
        while True:
            time.sleep(0.02)
            with self.lock:
                for intent in list(self.intents.values()):
                    if intent["due"] and intent["due"][0] <= time.time():
                        intent["status"], intent["due"] = intent["due"][1], None
                        self._settle(intent)


def shown(intent: Row, *expanded: str) -> Row:
    """As the API has it. ``expanded`` names what is told in full and not by its id."""
    names = ("id", "object", "amount", "currency", "status", "capture_method", "metadata", "created")
    charge = f"ch_{intent['id']}" if intent["received"] else None
    moved: Any = f"txn_{intent['id']}"
    if "latest_charge.balance_transaction" in expanded:
        moved = {"id": moved, "object": "balance_transaction", "created": intent["moved_at"]}
    if charge and any(name.startswith("latest_charge") for name in expanded):
        whole = {"id": charge, "object": "charge", "amount": intent["received"], "amount_refunded": intent["refunded"]}
        charge = {**whole, "currency": intent["currency"], "balance_transaction": moved}
    return {
        **{name: intent[name] for name in names},
        "amount_received": intent["received"],
        "amount_capturable": intent["amount"] if intent["status"] == "requires_capture" else 0,
        "last_payment_error": intent["error"],
        "latest_charge": charge,
    }


def _metadata(words: Mapping[str, str]) -> dict[str, str]:
    return {name[9:-1]: value for name, value in words.items() if name.startswith("metadata[")}


def _unexpected(intent: Row) -> Refused:
    message = f"This PaymentIntent could not be changed because it has a status of {intent['status']}."
    code = {"code": "payment_intent_unexpected_state", "payment_intent": shown(intent)}
    return Refused(400, "invalid_request_error", message, **code)
