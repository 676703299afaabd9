"""Tables of inventory, with the rules that the database keeps whatever the code does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import connections, models

from contracts._base import Money, new_id
from contracts.inventory import Line
from runtime.databases.clock import Now
from runtime.telemetry.tracing import current_trace_id


def _words(column: str) -> models.Func:
    """Dashes, dots and underscores part words here; PostgreSQL's parser would read M-07 as M and minus seven."""
    return models.Func(models.F(column), models.Value("-._"), models.Value("   "), function="translate")


class Product(models.Model):
    sku = models.CharField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    price_amount = models.DecimalField(max_digits=20, decimal_places=2)
    price_currency = models.CharField(max_length=3)
    active = models.BooleanField(default=True)
    low_at = models.PositiveIntegerField(default=5)
    """Keepers are told when no more than so many units are available."""
    created_at = models.DateTimeField(db_default=Now())
    search = models.GeneratedField(
        expression=SearchVector(_words("sku"), _words("name"), config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        indexes: ClassVar = [GinIndex(fields=["search"], name="product_search")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(price_amount__gt=0), name="product_price_positive"),
        ]

    @property
    def price(self) -> Money:
        return Money(self.price_amount, self.price_currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """By how much a sku's balances change. Units."""

    on_hand: int = 0
    reserved: int = 0
    sold: int = 0


_MOVE = """
WITH change AS (
    SELECT * FROM unnest(%(skus)s::text[], %(on_hand)s::bigint[], %(reserved)s::bigint[], %(sold)s::bigint[])
    AS c (sku, on_hand, reserved, sold)
), moved AS (
    INSERT INTO inventory_stockmovement (sku, kind, key, on_hand, reserved, sold, order_id, reason, trace_id)
    SELECT sku, %(kind)s, %(key)s, on_hand, reserved, sold, %(order_id)s, %(reason)s, %(trace_id)s FROM change
    ON CONFLICT (key, sku) DO NOTHING
    RETURNING sku, on_hand, reserved, sold
)
UPDATE inventory_stock AS s
SET on_hand = s.on_hand + moved.on_hand, reserved = s.reserved + moved.reserved, sold = s.sold + moved.sold
FROM moved WHERE s.sku = moved.sku
RETURNING s.sku
"""


class StockManager(models.Manager["Stock"]):
    """All row locks of this domain are taken here, in order of sku, so that two carts never wait for each other."""

    def lock(self, skus: Sequence[str]) -> dict[str, Stock]:
        """The stock rows of these skus, locked until the transaction ends. A sku without a row is left out."""
        rows = self.using("inventory").select_for_update(of=("self",)).select_related("sku").defer("sku__search")
        return {row.sku_id: row for row in rows.filter(sku__in=list(skus)).order_by("sku")}

    def move(
        self, changes: Mapping[str, Change], *, kind: str, key: str, order_id: UUID | None = None, reason: str = ""
    ) -> frozenset[str]:
        """
        Write movements and change the balances with them. The skus that were moved: without those moved before
        under this key. The rows have to be locked. Raises IntegrityError where a balance would break its rule.
        """
        skus = sorted(changes)
        row: dict[str, Any] = {
            "skus": skus,
            "on_hand": [changes[sku].on_hand for sku in skus],
            "reserved": [changes[sku].reserved for sku in skus],
            "sold": [changes[sku].sold for sku in skus],
            "kind": kind,
            "key": key,
            "order_id": order_id,
            "reason": reason,
            "trace_id": current_trace_id(),
        }
        with connections["inventory"].cursor() as cursor:
            cursor.execute(_MOVE, row)
            return frozenset(found[0] for found in cursor.fetchall())


class Stock(models.Model):
    """
    What stands on the shelf (``on_hand``, held units included), what of it is held, and what was sold in all. Units.

    Changed only together with a StockMovement. Rows are locked in order of sku, never otherwise.
    """

    sku = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, db_column="sku")
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    sold = models.BigIntegerField(default=0)

    objects = StockManager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(reserved__gte=0, reserved__lte=models.F("on_hand"), sold__gte=0),
                name="stock_zero_le_reserved_le_on_hand",
            ),
        ]

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Reservation(models.Model):
    """
    Stock held for an order. One for each order, ever: ``closed`` before it was ``held`` is the mark that a release
    leaves for a reserve that comes late.
    """

    HELD = "held"
    REFUSED = "refused"
    CLOSED = "closed"
    SHIPPED = "shipped"

    order_id = models.UUIDField(primary_key=True)
    id = models.UUIDField(default=new_id, unique=True, editable=False)
    key = models.CharField(max_length=255)
    state = models.CharField(max_length=16)
    lines = models.JSONField()
    """[{"sku": ..., "quantity": ...}], each sku once, in order of sku. Of a refused one: what was missing."""
    expires_at = models.DateTimeField()
    alarmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="reservation_held", condition=models.Q(state="held")),
        ]

    @property
    def held_lines(self) -> tuple[Line, ...]:
        return tuple(Line(sku=line["sku"], quantity=line["quantity"]) for line in self.lines)


class StockMovement(models.Model):
    """
    Why a balance changed and by how much, in units. Rows are only ever added; summed, they give the balances.

    ``key`` makes a movement happen once: (key, sku) is unique.
    """

    append_only = True

    OPENING = "opening"
    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"
    RETURN = "return"
    RESERVE = "reserve"
    RELEASE = "release"
    SHIP = "ship"
    CORRECTION = "correction"
    """The balances were set to the sum of the movements: a movement by nothing, which says when and why."""

    id = models.BigAutoField(primary_key=True)
    sku = models.ForeignKey(Product, on_delete=models.PROTECT, db_column="sku", related_name="movements")
    kind = models.CharField(max_length=16)
    key = models.CharField(max_length=300)
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    sold = models.BigIntegerField(default=0)
    order_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=200, blank=True, db_default="")
    trace_id = models.CharField(max_length=32, null=True)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "sku"], name="movement_once_for_each_key"),
        ]


class StockDrift(models.Model):
    """
    A sku whose balances are not what its movements add up to, and since when that is known.

    A table of its own, which is empty on a good day: what is marked here costs no order a column, an index or a lock.
    """

    sku = models.OneToOneField(
        Product, on_delete=models.PROTECT, primary_key=True, db_column="sku", related_name="drift"
    )
    found_at = models.DateTimeField(db_default=Now())


class StockRound(models.Model):
    """How far the look for stock that drifted has come. One row; whoever has it locked does the next look."""

    id = models.SmallIntegerField(primary_key=True)
    after = models.CharField(max_length=64, db_default="")
    """The last sku that was looked at; empty at the beginning of a round."""
    skus = models.PositiveIntegerField()
    """How many the next look takes."""
    due_at = models.DateTimeField(db_default=Now())
