"""What inventory does when another domain announces something."""

from __future__ import annotations

from apps.inventory.service import SERVICE
from contracts.orders import OrderShipped
from runtime.messaging import Handlers


def order_shipped(event: OrderShipped) -> None:
    SERVICE.order_shipped(order_id=event.order_id)


HANDLERS = Handlers({OrderShipped: order_shipped})
