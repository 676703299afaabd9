"""Inventory over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.inventory.serializers import (
    AdjustSerializer,
    AvailableSerializer,
    ProductChangeSerializer,
    ProductSerializer,
    RestockSerializer,
    StockSerializer,
    stock_shape,
)
from apps.inventory.service import SERVICE
from contracts.inventory import UnknownSku
from runtime.http.idempotency import idempotent, operation_of
from runtime.http.pages import PAGE_PARAMETERS, page_answer, page_of, read_page
from runtime.http.serializers import body_of
from runtime.http.views import View
from runtime.identity import Anyone, Requires, caller

CHANGE_CATALOGUE = Requires("inventory.change_catalogue")
CHANGE_STOCK = Requires("inventory.change_stock")


class Products(View):
    def get_permissions(self) -> list[Any]:
        return [Anyone()] if self.request.method != "POST" else [CHANGE_CATALOGUE()]

    @extend_schema(
        parameters=[
            OpenApiParameter("search", str, description="Part of a name, or a sku's beginning."),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(ProductSerializer),
    )
    def get(self, request: Request) -> Response:
        """The products that are sold."""
        search = request.query_params.get("search", "")
        return page_answer(request, SERVICE.products(search=search, page=read_page(request)), ProductSerializer)

    @extend_schema(request=ProductSerializer, responses={201: ProductSerializer})
    def post(self, request: Request) -> Response:
        """Add a product."""
        body = body_of(request, ProductSerializer)
        return Response(ProductSerializer(SERVICE.add_product(**body)).data, status=201)


class ProductView(View):
    problem_status = {UnknownSku: 404}

    def get_permissions(self) -> list[Any]:
        return [Anyone()] if self.request.method != "PATCH" else [CHANGE_CATALOGUE()]

    @extend_schema(responses=ProductSerializer)
    def get(self, request: Request, sku: str) -> Response:
        """One product, also one that is no longer sold."""
        return Response(ProductSerializer(SERVICE.product(sku=sku)).data)

    @extend_schema(request=ProductChangeSerializer, responses=ProductSerializer)
    def patch(self, request: Request, sku: str) -> Response:
        """Change a product. Orders that were placed keep the price they were placed at."""
        body = body_of(request, ProductChangeSerializer)
        return Response(ProductSerializer(SERVICE.change_product(sku=sku, changes=body)).data)


class StockView(View):
    permission_classes = [Anyone]
    problem_status = {UnknownSku: 404}

    @extend_schema(responses=AvailableSerializer)
    def get(self, request: Request, sku: str) -> Response:
        """How many can be had; for its keepers the whole balance."""
        shape = stock_shape(SERVICE.stock(sku=sku))
        principal = caller(request)
        keeper = principal is not None and principal.may("inventory.view_any")
        seen = shape if keeper else {name: shape[name] for name in ("sku", "available")}
        return Response(AvailableSerializer(seen).data)


class Restock(View):
    permission_classes = [CHANGE_STOCK]
    problem_status = {UnknownSku: 404}

    @extend_schema(request=RestockSerializer, responses=StockSerializer)
    @idempotent(using="inventory")
    def post(self, request: Request, sku: str) -> Response:
        """Units have arrived."""
        body = body_of(request, RestockSerializer)
        stock = SERVICE.restock(key=str(operation_of(request)), sku=sku, **body)
        return Response(StockSerializer(stock_shape(stock)).data)


class Adjust(View):
    permission_classes = [CHANGE_STOCK]
    problem_status = {UnknownSku: 404}

    @extend_schema(request=AdjustSerializer, responses=StockSerializer)
    @idempotent(using="inventory")
    def post(self, request: Request, sku: str) -> Response:
        """The shelf was counted, and differs."""
        body = body_of(request, AdjustSerializer)
        stock = SERVICE.adjust(key=str(operation_of(request)), sku=sku, **body)
        return Response(StockSerializer(stock_shape(stock)).data)
