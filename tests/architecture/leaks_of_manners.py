"""Bad manners with databases, clocks, money, errors and names, and contracts that are not what a contract is."""

from __future__ import annotations

from tests.architecture.leaks_by_import import by
from tests.architecture.planting import Leak

NO_DEFAULT = "Django: there is no default database to fall into (ImproperlyConfigured)"
UNROUTED = "the router: UnroutedQuery"

LONG_FUNCTION = "def long():\n" + "    print()\n" * 60

OF_MANNERS = (
    Leak(
        what="a transaction names no database",
        file="apps/orders/service.py",
        code="def both():\n    with transaction.atomic():\n        pass",
        noticed_by=by("unnamed_databases"),
        later=NO_DEFAULT,
    ),
    Leak(
        what="a decorator opens a transaction that names no database",
        file="apps/payments/books.py",
        code="@transaction.atomic\ndef both(): ...",
        noticed_by=by("unnamed_databases"),
        later=NO_DEFAULT,
    ),
    Leak(
        what="something waits for a commit of no database in particular",
        file="runtime/messaging/outbox.py",
        code="def later(): transaction.on_commit(print)",
        noticed_by=by("unnamed_databases"),
        later=NO_DEFAULT,
    ),
    Leak(
        what="a query goes to Django's default connection",
        file="apps/inventory/queries.py",
        code="from django.db import connection",
        noticed_by=by("unnamed_databases"),
        later=NO_DEFAULT,
    ),
    Leak(
        what="a query does not say which database it is for",
        file="runtime/messaging/inbox.py",
        code="def waiting(): return InboxMessage.objects.filter(handled_at=None)",
        noticed_by=by("unrouted_queries"),
        later=UNROUTED,
    ),
    Leak(
        what="a lock does not say which database it is for",
        file="apps/payments/books.py",
        code="def lock(rows): return rows.select_for_update().get()",
        noticed_by=by("unrouted_locks"),
    ),
    Leak(
        what="a view queries by itself",
        file="apps/orders/views.py",
        code='def how_many(): return Order.objects.using("orders").count()',
        noticed_by=by("questions_at_the_door"),
    ),
    Leak(
        what="a handler opens a transaction of its own",
        file="apps/inventory/handlers.py",
        code="from django.db import transaction",
        noticed_by=by("questions_at_the_door"),
    ),
    Leak(
        what="a service answers with Django's HTTP",
        file="apps/users/service.py",
        code="from django.http import HttpResponse",
        noticed_by=by("web_in_domain_code"),
    ),
    Leak(
        what="a service asks this machine what time it is",
        file="apps/orders/service.py",
        code="def expired(at): return timezone.now() > at",
        noticed_by=by("other_clocks"),
    ),
    Leak(
        what="a model asks this machine what time it is, under another name",
        file="apps/payments/models.py",
        code="from time import time",
        noticed_by=by("other_clocks"),
    ),
    Leak(
        what="money becomes a float",
        file="apps/payments/serializers.py",
        code="def shown(payment): return float(payment.amount)",
        noticed_by=by("floats"),
    ),
    Leak(
        what="money is stored as a float",
        file="apps/inventory/models.py",
        code="class Price(models.Model):\n    amount = models.FloatField()",
        noticed_by=by("floats"),
    ),
    Leak(
        what="every error is passed over",
        file="runtime/saga/sweeper.py",
        code="def quiet():\n    try:\n        sweep()\n    except Exception:\n        pass",
        noticed_by=by("swallowed_errors"),
    ),
    Leak(
        what="every error is suppressed",
        file="config/supervision/supervisor.py",
        code="def quiet():\n    with suppress(Exception):\n        stop()",
        noticed_by=by("swallowed_errors"),
    ),
    Leak(
        what="an exception from a rule is no longer needed",
        file="apps/payments/sandbox.py",
        instead_of="float(signed_at)",
        code="int(signed_on)",
        noticed_by=by("unused_exceptions"),
    ),
    Leak(
        what="config gets a module for all sorts of things",
        file="config/helpers.py",
        noticed_by=by("names_that_say_nothing"),
    ),
    Leak(
        what="a function is far too long",
        file="runtime/timers/__init__.py",
        code=LONG_FUNCTION,
        noticed_by=by("too_long"),
    ),
    Leak(
        what="a file is far too long",
        file="config/catalogue.py",
        code="MORE = True\n" * 400,
        noticed_by=by("too_long"),
    ),
    Leak(
        what="the shape gets a new name that no other wall knows of",
        file="importlinter.ini",
        instead_of="    (queries)",
        code="    (queries) | (prices)",
        noticed_by=by("domain_code_is_listed"),
    ),
    Leak(
        what="a capability promises nothing",
        file="runtime/timers/__init__.py",
        instead_of="Work that comes due by itself is done, ",
        code="Work. It comes due by itself and is done, ",
        noticed_by=by("promises"),
    ),
)

OF_CONTRACTS = (
    Leak(
        what="a value stands among the events of a contract",
        file="contracts/users.py",
        instead_of="@dataclass(frozen=True, slots=True, kw_only=True)\nclass UserUpdated",
        code="@dataclass(frozen=True, slots=True, kw_only=True)\nclass Badge:\n    level: int\n\n\n"
        "@dataclass(frozen=True, slots=True, kw_only=True)\nclass UserUpdated",
        noticed_by=by("sections_in_order"),
    ),
    Leak(
        what="a contract does not end with its reference",
        file="contracts/inventory.py",
        instead_of='INVENTORY = Ref[InventoryService]("inventory")',
        code='STOCK = Ref[InventoryService]("inventory")',
        noticed_by=by("sections_in_order"),
    ),
    Leak(
        what="a value that crosses can be changed",
        file="contracts/orders.py",
        instead_of="@dataclass(frozen=True, slots=True, kw_only=True)\nclass OrderLine:",
        code="@dataclass(slots=True, kw_only=True)\nclass OrderLine:",
        noticed_by=by("frozen_values"),
    ),
    Leak(
        what="an event can be made by position",
        file="contracts/orders.py",
        instead_of="@dataclass(frozen=True, slots=True, kw_only=True)\nclass OrderShipped",
        code="@dataclass(frozen=True, slots=True)\nclass OrderShipped",
        noticed_by=by("frozen_values"),
    ),
    Leak(
        what="a value that crosses holds a float",
        file="contracts/inventory.py",
        instead_of="    name: str\n    price: Money",
        code="    name: str\n    weight: float\n    price: Money",
        noticed_by=by("frozen_values"),
    ),
    Leak(
        what="a method of a contract takes an argument by position",
        file="contracts/users.py",
        instead_of="def get(self, *, user_id: UUID) -> User:",
        code="def get(self, user_id: UUID) -> User:",
        noticed_by=by("methods_with_manners"),
    ),
    Leak(
        what="a method of a contract changes something and takes no key",
        file="contracts/payments.py",
        instead_of="def void(self, *, key: str, order_id: UUID) -> Payment:",
        code="def void(self, *, order_id: UUID) -> Payment:",
        noticed_by=by("methods_with_manners"),
    ),
    Leak(
        what="a method of a contract does not say what it does",
        file="contracts/orders.py",
        instead_of='        """The order as it is. Raises OrderUnknown."""\n',
        noticed_by=by("methods_with_manners"),
    ),
    Leak(
        what="two errors have one code",
        file="contracts/payments.py",
        instead_of='code: ClassVar[str] = "payment_closed"',
        code='code: ClassVar[str] = "payment_failed"',
        noticed_by=by("errors_with_codes"),
    ),
    Leak(
        what="an error has no code",
        file="contracts/users.py",
        instead_of='    code: ClassVar[str] = "user_unknown"\n',
        noticed_by=by("errors_with_codes"),
    ),
)
