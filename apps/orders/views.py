"""Orders over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apps.orders.models import Order
from apps.orders.serializers import (
    CancelSerializer,
    OrderSerializer,
    PlaceOrderSerializer,
    ReturnSerializer,
    ShipSerializer,
    StreamSerializer,
    TimelineSerializer,
    order_shape,
    stream_shape,
)
from apps.orders.service import (
    SERVICE,
    KeyUsedForAnother,
    NoSuchVersion,
    NotAccepting,
    Placed,
)
from apps.orders.wishes import UnknownProducts, WantedLine, Wish
from contracts._base import Unavailable
from contracts.orders import CANCELLED, CONFIRMED, DELIVERED, PENDING, RETURNED, SHIPPED, OrderUnknown
from runtime.http.idempotency import (
    fingerprint,
    idempotent,
    key_reused,
    operation_of,
    read_key,
    route_of,
    takes_key,
)
from runtime.http.pages import PAGE_PARAMETERS, page_answer, page_of, read_page
from runtime.http.problem import Problem, field_error, parameter_problem
from runtime.http.schema import problem_answers
from runtime.http.serializers import body_of
from runtime.http.views import View
from runtime.identity import Principal, Requires, SignedIn, principal_of

STATUSES = (PENDING, CONFIRMED, SHIPPED, DELIVERED, CANCELLED, RETURNED)

REFUSALS = {
    "payment_declined": (402, "The payment was declined. No money was taken."),
    "insufficient_funds": (402, "The payment was declined for lack of funds. No money was taken."),
    "payment_failed": (402, "The payment failed when it was settled. No money was taken."),
    "out_of_stock": (409, "Too few units are available. Nothing was taken."),
    "user_inactive": (403, "This account may not place orders."),
    "user_unknown": (403, "This account may not place orders."),
}
"""How a placed order that was refused is answered, by its reason."""
CALLED_OFF = (409, "The order was cancelled before it was confirmed. No money is kept.")
"""For any other reason: whoever placed it changed their mind meanwhile, or it could not be carried out."""
NEVER_CONFIRMED = 2
"""The version of an order that was created and cancelled, with nothing between."""


def own_only(request: Request) -> UUID | None:
    """Whose orders the caller may see: their own, or (None) everybody's."""
    principal = principal_of(request)
    return None if principal.may("orders.view_any") else principal.user_id


class OrdersView(View):
    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[
            OpenApiParameter("status", str, enum=list(STATUSES), description="Only orders of this status."),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(OrderSerializer),
    )
    def get(self, request: Request) -> Response:
        """Orders, the newest first."""
        status = request.query_params.get("status")
        if status is not None and status not in STATUSES:
            raise parameter_problem("status", "invalid", f"status is one of {', '.join(STATUSES)}.")
        page = SERVICE.orders(user_id=own_only(request), status=status, page=read_page(request))
        return page_answer(request, page.map(order_shape), OrderSerializer)

    @extend_schema(
        request=PlaceOrderSerializer,
        responses={201: OrderSerializer, 202: OrderSerializer, **problem_answers(402, 403)},
    )
    @takes_key
    def post(self, request: Request) -> Response:
        """
        Place an order. 201 confirmed; 202 pending, look again at its Location; 402, 409 and 403 with an orderId are
        orders that exist and are cancelled.
        """
        key = read_key(request)
        body = body_of(request, PlaceOrderSerializer)
        wish = _wish(principal_of(request), body)
        try:
            placed = SERVICE.place(
                wish,
                key=key,
                fingerprint=fingerprint(route_of(request), request.data),
                respond_async="respond-async" in request.headers.get("Prefer", ""),
            )
        except UnknownProducts as error:
            raise _unknown_products(error) from error
        except KeyUsedForAnother:
            raise key_reused() from None
        except NotAccepting as error:
            raise Problem(503, error.code, error.detail, headers={"Retry-After": "60"}) from None
        except Unavailable as error:
            detail = "The catalogue cannot be reached now. Nothing was stored; try again with the same key."
            raise Problem(503, "inventory_unavailable", detail, headers={"Retry-After": "5"}) from error
        return _answer(placed)


class OrderView(View):
    permission_classes = [SignedIn]
    problem_status = {OrderUnknown: 404, NoSuchVersion: 404}

    @extend_schema(
        parameters=[
            OpenApiParameter("version", OpenApiTypes.INT, description="The order as it was after this version."),
            OpenApiParameter("asOf", OpenApiTypes.DATETIME, description="The order as it was then; with a zone."),
        ],
        responses=OrderSerializer,
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """One order as it is, or as it was."""
        version, as_of = _version(request), _as_of(request)
        if version is None and as_of is None:
            return _order(SERVICE.order(order_id=order_id, user_id=own_only(request)))
        if version is not None and as_of is not None:
            raise parameter_problem("asOf", "invalid", "version and asOf do not go together.")
        user_id = own_only(request)
        return _order(SERVICE.order_before(order_id=order_id, user_id=user_id, version=version, as_of=as_of))


class Timeline(View):
    permission_classes = [Requires("orders.view_any")]
    problem_status = {OrderUnknown: 404}

    @extend_schema(responses=TimelineSerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """Steps of the processes, payments, stock and events of one order, in one list."""
        return Response(TimelineSerializer({"items": SERVICE.timeline(order_id=order_id)}).data)


class OrderEvents(View):
    permission_classes = [SignedIn]
    problem_status = {OrderUnknown: 404}

    @extend_schema(responses=StreamSerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        """All that ever happened to an order, in order."""
        recorded = SERVICE.events(order_id=order_id, user_id=own_only(request))
        return Response(StreamSerializer(stream_shape(recorded)).data)


class CancelOrder(View):
    permission_classes = [SignedIn]
    problem_status = {OrderUnknown: 404}

    @extend_schema(request=CancelSerializer, responses=OrderSerializer)
    def post(self, request: Request, order_id: UUID) -> Response:
        """Cancel an order that was not shipped yet. Stock and money are given back."""
        body = body_of(request, CancelSerializer)
        principal = principal_of(request)
        SERVICE.order(order_id=order_id, user_id=None if principal.may("orders.cancel_any") else principal.user_id)
        return _order(SERVICE.cancel(order_id=order_id, reason=body["reason"]))


class ShipOrder(View):
    permission_classes = [Requires("orders.fulfil")]
    problem_status = {OrderUnknown: 404}

    @extend_schema(request=ShipSerializer, responses={200: OrderSerializer, 202: OrderSerializer})
    def post(self, request: Request, order_id: UUID) -> Response:
        """A confirmed order has left the house. 202 while money that was only held for it is being taken."""
        order = SERVICE.ship(order_id=order_id, **body_of(request, ShipSerializer))
        if order.status == SHIPPED:
            return _order(order)
        return _order(order, status=202, headers={"Location": f"/api/orders/{order.id}"})


class ReturnOrder(View):
    permission_classes = [Requires("orders.fulfil")]
    problem_status = {OrderUnknown: 404}

    @extend_schema(request=ReturnSerializer, responses=OrderSerializer)
    @idempotent(using="orders")
    def post(self, request: Request, order_id: UUID) -> Response:
        """Delivered goods came back, some or all: they are refunded and go back on the shelf."""
        body = body_of(request, ReturnSerializer)
        units: dict[str, int] = {}
        for line in body["items"]:
            units[line["sku"]] = units.get(line["sku"], 0) + line["quantity"]
        order = SERVICE.take_back(
            order_id=order_id, return_id=operation_of(request), units=units, reason=body["reason"]
        )
        return _order(order)


class DeliverOrder(View):
    permission_classes = [Requires("orders.fulfil")]
    problem_status = {OrderUnknown: 404}

    @extend_schema(request=None, responses=OrderSerializer)
    def post(self, request: Request, order_id: UUID) -> Response:
        """A shipped order has arrived."""
        return _order(SERVICE.deliver(order_id=order_id))


# --- From the body to a wish, from an order to an answer ------------------------------------------------------------


def _wish(principal: Principal, body: dict[str, Any]) -> Wish:
    lines = tuple(WantedLine(**line) for line in body["items"])
    for_another = "on_behalf_of" in body or any(line.unit_price is not None for line in lines)
    if for_another and not principal.may("orders.place_for"):
        raise PermissionDenied(
            "An order for somebody else, or at agreed prices, needs the permission orders.place_for."
        )
    return Wish(
        placed_by=principal.user_id,
        user_id=body.get("on_behalf_of", principal.user_id),
        lines=lines,
        payment_method=body["payment_method"],
        note=body["note"],
    )


def _version(request: Request) -> int | None:
    text = request.query_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31 and len(text) <= 10):
        raise parameter_problem("version", "invalid", "version is a whole number from 1.")
    return int(text)


def _as_of(request: Request) -> datetime | None:
    text = request.query_params.get("asOf")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise parameter_problem("asOf", "invalid", "asOf is a time with a zone, as in 2026-01-31T12:00:00Z.")
    return moment


def _unknown_products(error: UnknownProducts) -> Problem:
    errors = [
        field_error(f"/items/{line}/sku", error.code, "There is no product with this sku on sale.")
        for line in error.data["lines"]
    ]
    return Problem(400, error.code, "Some lines name products that are not sold: see errors.", errors=errors)


def _order(order: Order, **kwargs: Any) -> Response:
    return Response(OrderSerializer(order_shape(order)).data, **kwargs)


def _answer(placed: Placed) -> Response:
    order, reason = placed.order, placed.order.reason or ""
    headers = {"Idempotency-Replayed": "true"} if placed.replayed else {}
    if order.status == CANCELLED and (reason in REFUSALS or order.version == NEVER_CONFIRMED):
        status, detail = REFUSALS.get(reason, CALLED_OFF)
        facts = {"skus": order.skus} if order.skus else {}
        raise Problem(status, reason, detail, headers=headers, order_id=str(order.id), **facts)
    status = 202 if order.status == PENDING else 201
    return _order(order, status=status, headers={**headers, "Location": f"/api/orders/{order.id}"})
