"""
What OpenAPI 3.1 says about a view, beyond what its serializers say: problems, the idempotency key, the token.

Views annotate with drf-spectacular's own ``extend_schema(request=…, responses=…)``; nothing here is called by them.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import AllowAny

from runtime.http.serializers import StrictSerializer, TextField
from runtime.http.views import View

__all__ = ["ApiSchema", "problem_answers", "undocumented"]

_PROBLEM_JSON = "application/problem+json"

_KEY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="Made by the caller; the same key again gets the first answer again.",
)


class FieldFaultSerializer(serializers.Serializer[Any]):
    """A pointer into the body (RFC 6901), or the name of a query parameter."""

    pointer = serializers.CharField(required=False)
    parameter = serializers.CharField(required=False)
    detail = serializers.CharField()
    code = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; some codes add members of their own."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    errors = FieldFaultSerializer(many=True, required=False)  # type: ignore[assignment]  # a field of that name


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "runtime.identity.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def problem_answers(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """
    Problems that OpenAPI cannot see from outside: ``responses={201: OrderSerializer, **problem_answers(402, 403)}``.

    What every view answers is there without (bad bodies, missing tokens and permissions, ``problem_status``).
    """
    return {
        (status, _PROBLEM_JSON): OpenApiResponse(ProblemSerializer, description=HTTPStatus(status).phrase)
        for status in statuses
    }


def undocumented() -> list[type]:
    """drf-spectacular's GET_LIB_DOC_EXCLUDES: base classes whose docstrings are for us and not for callers."""
    return [*get_lib_doc_excludes(), StrictSerializer, View]  # type: ignore[no-untyped-call]


def _pattern_of_its_own(field: TextField) -> bool:
    """Such a pattern is the narrower one, so it is the one to tell."""
    return any(isinstance(validator, RegexValidator) for validator in field.validators)


class ApiSchema(AutoSchema):
    def get_operation_id(self) -> str:
        """``get_orders_by_order_id``: the method and the path, so that no two are alike."""
        path = re.sub(r"^/api/", "", self.path)
        words = re.sub(r"\{(\w+)\}", r"by_\1", path).replace(".", "_").replace("-", "_").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])

    def get_auth(self) -> list[Any]:
        """What anyone may call is called without a token, or with a good one."""
        auth: list[Any] = super().get_auth()
        anyone = any(isinstance(permission, AllowAny) for permission in self.view.get_permissions())
        return [*auth, {}] if anyone and auth and {} not in auth else auth

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *([_KEY_PARAMETER] if self._takes_key() else [])]

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(field, TextField) and not _pattern_of_its_own(field):
            schema.setdefault("pattern", field.written)
        if isinstance(field, serializers.ListSerializer):
            # Set by DRF, and unknown to its types.
            limits = {"minItems": getattr(field, "min_length", None), "maxItems": getattr(field, "max_length", None)}
            schema.update({name: limit for name, limit in limits.items() if limit is not None})
        return schema

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        # A pattern that an empty text fits needs no second schema for it; of "oneOf" the text would fit both.
        if "oneOf" in schema and isinstance(field, TextField) and not _pattern_of_its_own(field):
            schema.update(schema.pop("oneOf")[0])

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for (status, media_type), answer in problem_answers(*self._problem_statuses()).items():
            if str(status) not in bodies:
                bodies[str(status)] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    answer, str(status), [media_type]
                )
        return dict(sorted(bodies.items()))

    def _problem_statuses(self) -> set[int]:
        statuses = {400, 429, 503, *getattr(self.view, "problem_status", {}).values()}
        if self.get_auth():
            statuses.add(401)
        if any(hasattr(permission, "needed") for permission in self.view.get_permissions()):
            statuses.add(403)
        if "{" in self.path:
            statuses.add(404)
        if self.method in ("POST", "PUT", "PATCH"):
            statuses |= {409, 413, 415}
        if self._takes_key():
            statuses.add(422)
        return statuses

    def _takes_key(self) -> bool:
        return hasattr(getattr(self.view, self.method.lower(), None), "takes_idempotency_key")
