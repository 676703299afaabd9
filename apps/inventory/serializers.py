"""Inventory's HTTP shapes."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator

from apps.inventory.catalogue import LONGEST_DESCRIPTION, LONGEST_NAME, SKU
from apps.inventory.models import Stock
from runtime.http.serializers import FlagField, MoneyField, StrictSerializer, TextField, WholeNumberField

MOST_UNITS = 1_000_000_000


class SkuField(TextField):
    """Letters, digits, dot, dash and underscore: it stands in paths."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)
        self.validators.append(RegexValidator(SKU, "A sku is 1 to 64 letters, digits, dots, dashes or underscores."))


class ProductSerializer(StrictSerializer):
    sku = SkuField()
    name = TextField(max_length=LONGEST_NAME)
    description = TextField(max_length=LONGEST_DESCRIPTION, allow_blank=True, required=False, default="", lines=True)
    price = MoneyField(minimum="0.01")
    active = FlagField(required=False, default=True)


class ProductChangeSerializer(StrictSerializer):
    """What may be changed of a product; what is left out stays."""

    name = TextField(max_length=LONGEST_NAME, required=False)
    description = TextField(max_length=LONGEST_DESCRIPTION, allow_blank=True, required=False, lines=True)
    price = MoneyField(minimum="0.01", required=False)
    active = FlagField(required=False)


class AvailableSerializer(StrictSerializer):
    """Stock as everybody may see it; its keepers see the whole balance."""

    sku = TextField()
    on_hand = WholeNumberField(required=False, help_text="For keepers only, as are the next ones.")
    reserved = WholeNumberField(required=False)
    available = WholeNumberField()
    sold = WholeNumberField(required=False)


class StockSerializer(StrictSerializer):
    """Stock as its keepers see it. Units; on_hand includes what is reserved."""

    sku = TextField()
    on_hand = WholeNumberField()
    reserved = WholeNumberField()
    available = WholeNumberField()
    sold = WholeNumberField()


class RestockSerializer(StrictSerializer):
    quantity = WholeNumberField(min_value=1, max_value=MOST_UNITS)
    reason = TextField(max_length=200)


class AdjustSerializer(StrictSerializer):
    """Units more, or (negative) fewer."""

    quantity = WholeNumberField(min_value=-MOST_UNITS, max_value=MOST_UNITS)
    reason = TextField(max_length=200)


def stock_shape(stock: Stock) -> dict[str, object]:
    return {
        "sku": stock.sku_id,
        "on_hand": stock.on_hand,
        "reserved": stock.reserved,
        "available": stock.available,
        "sold": stock.sold,
    }
