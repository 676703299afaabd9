"""
Bodies, strictly: what is not declared is refused, and a type is what JSON says it is.

Fields are declared in Python's names and travel in camelCase: ``unit_price`` is ``unitPrice`` on the wire, and
``validated_data["unit_price"]`` afterwards. The same serializer writes answers from any object with these attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from contracts._base import InvalidMoney, Money
from runtime.http.wire import camel, money_to_wire

__all__ = [
    "FlagField",
    "IdField",
    "ListField",
    "MomentField",
    "MoneyField",
    "StrictSerializer",
    "TextField",
    "WholeNumberField",
    "body_of",
]

_MOST_UNKNOWN = 20
_LARGEST_WHOLE = 2**63 - 1
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class StrictSerializer(serializers.Serializer[Any]):
    """A body or an answer. An unknown field is an error at that field, code ``unknown_field``."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = {}
        for name, field in super().get_fields().items():
            wire = camel(name)
            if wire != name and field.source is None:
                field.source = name
            fields[wire] = field
        return fields

    def to_internal_value(self, data: Any) -> Any:
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        if not unknown:
            return super().to_internal_value(data)
        errors: dict[str, Any] = {
            _pointer_part(name): [ErrorDetail("There is no such field.", code="unknown_field")]
            for name in unknown[:_MOST_UNKNOWN]
        }
        try:
            super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors.update(error.detail)  # type: ignore[arg-type]  # a serializer's own faults are by field
        raise serializers.ValidationError(errors)


def body_of(
    request: Request, serializer_class: type[serializers.BaseSerializer[Any]], **options: Any
) -> dict[str, Any]:
    """The request's body, checked: names in Python's writing. Raises what becomes a 400 with pointers."""
    serializer = serializer_class(data=request.data, **options)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _pointer_part(name: str) -> str:
    """RFC 6901, 3: these two would be read as something else."""
    return name.replace("~", "~0").replace("/", "~1")


class TextField(serializers.CharField):
    """A JSON string; a number is not one. Control characters (line breaks too, unless ``lines``) are refused."""

    default_error_messages = {
        "control_characters": "Control characters are not allowed.",
    }

    def __init__(self, *, lines: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.written = _LINES if lines else _ONE_LINE

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(data)
        if not re.fullmatch(self.written, text):
            self.fail("control_characters")
        return text


# C0, DEL, C1, and the two separators of Unicode that break a line; also what OpenAPI says, so in ECMA's syntax.
_ONE_LINE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]*$"


class WholeNumberField(serializers.IntegerField):
    """A JSON integer; neither a string nor true nor 1.5 is one. Between -2^63 and 2^63 - 1 unless said otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", -_LARGEST_WHOLE - 1)
        kwargs.setdefault("max_value", _LARGEST_WHOLE)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class FlagField(serializers.BooleanField):
    """JSON's true or false; neither "true" nor 1 is one."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class IdField(serializers.UUIDField):
    """A UUID in its one written form, 8-4-4-4-12."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            self.fail("invalid", value=data)
        return UUID(data)


class MomentField(serializers.DateTimeField):
    """A time with a zone (RFC 3339), answered in UTC."""

    default_error_messages = {"zone": "A time needs a zone, as in 2026-01-31T12:00:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("zone")
        try:
            return value.astimezone(UTC)
        except OverflowError:  # the first and the last hours of the calendar, from some zones
            self.fail("overflow")


class ListField(serializers.ListField):
    """A JSON array; ``child`` says of what."""


class MoneyWire(serializers.Serializer[Any]):
    """An exact amount in the shop's currency."""

    amount = serializers.RegexField(r"^-?\d{1,16}(\.\d{1,2})?$", help_text="A decimal string; two places in answers.")
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217; the shop has one currency.")

    class Meta:
        ref_name = "Money"


@extend_schema_field(MoneyWire)
class MoneyField(serializers.Field[Money, Any, dict[str, str], Any]):
    """
    ``{"amount": "12.50", "currency": "GBP"}`` in and out, a Money in between.

    Not below ``minimum`` (0.00 unless said otherwise; None for no limit). Another currency than the shop's is refused
    with the code ``unknown_currency``.
    """

    default_error_messages = {
        "not_money": 'Money is an object with an amount and a currency, both strings, as in {{"amount": "12.50", '
        '"currency": "GBP"}}.',
        "unknown_field": "There is no such field.",
        "required": "This field is required.",
        "invalid_amount": "An amount is a decimal string with at most two places, as in 12.50.",
        "unknown_currency": "The shop's currency is {currency}.",
        "min_value": "This is less than {minimum}.",
    }

    def __init__(self, *, minimum: str | None = "0.00", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._minimum = None if minimum is None else Decimal(minimum)

    def to_internal_value(self, data: Any) -> Money:
        if not isinstance(data, Mapping):
            self.fail("not_money")
        self._require_both(data)
        if data["currency"] != settings.SHOP_CURRENCY:
            self._refuse("currency", "unknown_currency", currency=settings.SHOP_CURRENCY)
        try:
            money = Money.parse(data["amount"], settings.SHOP_CURRENCY)
        except InvalidMoney:
            self._refuse("amount", "invalid_amount")
        if self._minimum is not None and money.amount < self._minimum:
            self._refuse("amount", "min_value", minimum=self._minimum)
        return money

    def to_representation(self, value: Money) -> dict[str, str]:
        return money_to_wire(value)

    def _require_both(self, data: Mapping[Any, Any]) -> None:
        for name in data:
            if name not in ("amount", "currency"):
                self._refuse(_pointer_part(name), "unknown_field")
        for name in ("amount", "currency"):
            if name not in data:
                self._refuse(name, "required")

    def _refuse(self, part: str, code: str, **facts: Any) -> Any:
        detail = ErrorDetail(self.error_messages[code].format(**facts), code=code)
        raise serializers.ValidationError({part: [detail]})
