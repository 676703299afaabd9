"""What inventory does when another domain announces something."""

from __future__ import annotations

from apps.inventory.service import SERVICE
from contracts.inventory import Line
from contracts.orders import OrderReturned, OrderShipped
from runtime.messaging import Handlers


def order_shipped(event: OrderShipped) -> None:
    SERVICE.order_shipped(order_id=event.order_id)


def order_returned(event: OrderReturned) -> None:
    lines = [Line(sku=line.sku, quantity=line.quantity) for line in event.items]
    SERVICE.order_returned(return_id=event.return_id, order_id=event.order_id, lines=lines)


HANDLERS = Handlers({OrderShipped: order_shipped, OrderReturned: order_returned})
