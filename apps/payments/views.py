"""Payments over HTTP."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.payments.gateways import BadWebhook
from apps.payments.serializers import (
    NewRefundSerializer,
    PaymentSerializer,
    RefundSerializer,
    payment_shape,
    refund_shape,
)
from apps.payments.service import SERVICE
from contracts.payments import PaymentUnknown
from runtime.http.idempotency import idempotent, operation_of
from runtime.http.pages import PAGE_PARAMETERS, page_answer, page_of, read_page
from runtime.http.problem import Problem, parameter_problem
from runtime.http.serializers import body_of
from runtime.http.views import View
from runtime.identity import Anyone, Requires, SignedIn, principal_of


def own_only(request: Request) -> UUID | None:
    """Whose payments the caller may see: their own, or (None) everybody's."""
    principal = principal_of(request)
    return None if principal.may("payments.view_any") else principal.user_id


class Payments(View):
    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[OpenApiParameter("orderId", OpenApiTypes.UUID, description="Only this order's."), *PAGE_PARAMETERS],
        responses=page_of(PaymentSerializer),
    )
    def get(self, request: Request) -> Response:
        """Payments, the newest first."""
        page = SERVICE.payments(user_id=own_only(request), order_id=_order_id(request), page=read_page(request))
        return page_answer(request, page.map(payment_shape), PaymentSerializer)


class PaymentView(View):
    permission_classes = [SignedIn]
    problem_status = {PaymentUnknown: 404}

    @extend_schema(responses=PaymentSerializer)
    def get(self, request: Request, payment_id: UUID) -> Response:
        """One payment with its attempts and refunds."""
        payment = SERVICE.payment(payment_id=payment_id, user_id=own_only(request))
        return Response(PaymentSerializer(payment_shape(payment)).data)


class Refunds(View):
    permission_classes = [Requires("payments.refund")]
    problem_status = {PaymentUnknown: 404}

    @extend_schema(request=NewRefundSerializer, responses={201: RefundSerializer})
    @idempotent(using="payments")
    def post(self, request: Request, payment_id: UUID) -> Response:
        """Give money back, at most what is left of the payment."""
        body = body_of(request, NewRefundSerializer)
        refund = SERVICE.refund_payment(payment_id=payment_id, key=str(operation_of(request)), **body)
        return Response(RefundSerializer(refund_shape(refund)).data, status=201)


class Webhooks(View):
    """Signed by the provider: no token, no parser; the signature is over the raw body."""

    permission_classes = [Anyone]
    authentication_classes = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={204: None})
    def post(self, request: Request, provider: str) -> HttpResponse:
        """A provider announces something."""
        try:
            SERVICE.webhook(provider=provider, body=request.body, headers=request.headers)
        except BadWebhook as error:
            raise Problem(400, "bad_webhook", str(error)) from error
        except LookupError:
            raise Problem(404, "unknown_provider", f"{provider} is not the provider in use here.") from None
        return HttpResponse(status=204)


def _order_id(request: Request) -> UUID | None:
    text = request.query_params.get("orderId")
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise parameter_problem("orderId", "invalid", "orderId is a UUID.") from None
