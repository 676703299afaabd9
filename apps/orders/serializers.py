"""Orders' HTTP shapes."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import JSONField

from apps.orders.aggregate import EVENT_TYPES
from apps.orders.models import Order
from runtime.codec import to_plain
from runtime.eventstore.store import Recorded
from runtime.http.serializers import (
    IdField,
    MomentField,
    MoneyField,
    StrictSerializer,
    TextField,
    WholeNumberField,
)

MOST_LINES = 1_000
MOST_UNITS = 1_000_000


class WantedLineSerializer(StrictSerializer):
    """``unit_price`` is for operators who agreed one; else the catalogue's holds."""

    sku = TextField(max_length=64)
    quantity = WholeNumberField(min_value=1, max_value=MOST_UNITS)
    unit_price = MoneyField(minimum="0.01", required=False)


class PlaceOrderSerializer(StrictSerializer):
    items = WantedLineSerializer(many=True, min_length=1, max_length=MOST_LINES)  # type: ignore[call-arg]  # many=True takes them
    payment_method = TextField(max_length=255)
    note = TextField(max_length=2000, allow_blank=True, required=False, default="", lines=True)
    on_behalf_of = IdField(required=False)


class ReturnLineSerializer(StrictSerializer):
    sku = TextField(max_length=64)
    quantity = WholeNumberField(min_value=1, max_value=MOST_UNITS)


class ReturnSerializer(StrictSerializer):
    items = ReturnLineSerializer(many=True, min_length=1, max_length=MOST_LINES)  # type: ignore[call-arg]  # as above
    reason = TextField(max_length=2000, lines=True)


class ReturnedLineSerializer(StrictSerializer):
    sku = TextField()
    quantity = WholeNumberField()
    unit_price = MoneyField()


class ReturnedSerializer(StrictSerializer):
    """One return: what came back, and what is given back for it."""

    id = IdField()
    items = ReturnedLineSerializer(many=True)
    refund = MoneyField()


class OrderLineSerializer(StrictSerializer):
    sku = TextField()
    name = TextField()
    quantity = WholeNumberField()
    unit_price = MoneyField()


class OrderSerializer(StrictSerializer):
    """``status`` is pending, confirmed, shipped, delivered, cancelled or returned; ``reason`` says why cancelled."""

    id = IdField()
    user_id = IdField()
    items = OrderLineSerializer(many=True)
    total_amount = MoneyField()
    status = TextField()
    reason = TextField(required=False)
    returns = ReturnedSerializer(many=True, required=False)
    version = WholeNumberField()
    created_at = MomentField()


class CancelSerializer(StrictSerializer):
    reason = TextField(max_length=2000, lines=True)


class ShipSerializer(StrictSerializer):
    carrier = TextField(max_length=100)
    tracking_number = TextField(max_length=100)


class StreamEventSerializer(StrictSerializer):
    version = WholeNumberField()
    event_type = TextField()
    timestamp = MomentField()
    data = JSONField()  # type: ignore[assignment]  # a field of that name, which shadows the serializer's own


class MomentSerializer(StrictSerializer):
    """``source`` is the domain it happened in."""

    at = MomentField()
    source = TextField()  # type: ignore[assignment]  # a field of that name, not the serializer's own source
    kind = TextField()
    detail = TextField()
    trace_id = TextField(required=False)


class TimelineSerializer(StrictSerializer):
    items = MomentSerializer(many=True)


class StreamSerializer(StrictSerializer):
    items = StreamEventSerializer(many=True)


def order_shape(order: Order) -> dict[str, Any]:
    shape = {
        "id": order.id,
        "user_id": order.user_id,
        "items": order.lines,
        "total_amount": order.total_amount,
        "status": order.status,
        "version": order.version,
        "created_at": order.created_at,
    }
    if order.reason is not None:
        shape["reason"] = order.reason
    if order.returns:
        shape["returns"] = [
            {"id": made.return_id, "items": made.items, "refund": made.refund} for made in order.returned
        ]
    return shape


def stream_shape(recorded: list[Recorded]) -> dict[str, Any]:
    return {
        "items": [
            {
                "version": entry.version,
                "event_type": entry.event.name,
                "timestamp": entry.recorded_at,
                "data": to_plain(entry.event, EVENT_TYPES[entry.event.name]),
            }
            for entry in recorded
        ]
    }
