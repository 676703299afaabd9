"""
Leaks that no import shows: import-linter stays green at every one of them (that is tested), and a rule of ours notices.
"""

from __future__ import annotations

from tests.architecture.leaks_by_import import by
from tests.architecture.planting import Leak

ROUTER = "the router: Django refuses the relation (ValueError); PostgreSQL: no such table for the constraint (42P01)"
NO_SUCH_TABLE = "PostgreSQL: the role's search path has no such table (42P01)"
NO_RIGHT = "PostgreSQL: the role has no right in that schema (42501)"
NOT_HERE = "nothing, until a process does not host the other domain (NodeNotFoundError)"

MIGRATION = "from django.db import migrations\nclass Migration(migrations.Migration):\n    "

BY_NAME = (
    Leak(
        what="a foreign key names another domain's model",
        file="apps/orders/models.py",
        code='class Paid(models.Model):\n    payment = models.ForeignKey("payments.Payment", on_delete=models.PROTECT)',
        noticed_by=by("relations"),
        later=ROUTER,
    ),
    Leak(
        what="a many-to-many field names another domain's model",
        file="apps/payments/models.py",
        code='class Basket(models.Model):\n    products = models.ManyToManyField(to="inventory.Product")',
        noticed_by=by("relations"),
        later=ROUTER,
    ),
    Leak(
        what="a foreign key goes to the model of users, as Django's own examples do",
        file="apps/orders/models.py",
        code="class Fan(models.Model):\n    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)",
        noticed_by=by("relations"),
        later=ROUTER,
    ),
    Leak(
        what="a domain asks for the model of users",
        file="apps/inventory/service.py",
        code="from django.contrib.auth import get_user_model\nwho = get_user_model()",
        noticed_by=by("relations"),
    ),
    Leak(
        what="a foreign key is put into a migration by hand",
        file="apps/orders/migrations/0002_paid.py",
        code=MIGRATION
        + 'operations = [migrations.AddField("order", "paid", models.ForeignKey(to="payments.payment"))]',
        noticed_by=by("relations"),
        later=NO_SUCH_TABLE,
    ),
    Leak(
        what="a migration waits for another domain's",
        file="apps/orders/migrations/0002_after_payments.py",
        code=MIGRATION + 'dependencies = [("orders", "0001_initial"), ("payments", "0001_initial")]',
        noticed_by=by("migration_dependencies"),
        later=NOT_HERE,
    ),
    Leak(
        what="a migration wants to run before another domain's",
        file="apps/users/migrations/0002_before_orders.py",
        code=MIGRATION + 'run_before = [("orders", "0001_initial")]',
        noticed_by=by("migration_dependencies"),
        later=NOT_HERE,
    ),
    Leak(
        what="a migration waits for the model of users",
        file="apps/orders/migrations/0002_after_users.py",
        code=MIGRATION + "dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]",
        noticed_by=by("migration_dependencies"),
        later=NOT_HERE,
    ),
    Leak(
        what="a task of another domain is sent by its Python path",
        file="apps/orders/tasks.py",
        code='current_app.send_task("apps.payments.tasks.capture")',
        noticed_by=by("names_of_modules_as_text"),
    ),
    Leak(
        what="a task is called by its Python path",
        file="runtime/saga/tasks.py",
        code="@shared_task\ndef sweep_all() -> None: ...",
        noticed_by=by("task_names"),
    ),
    Leak(
        what="a task is given a Python path as its name",
        file="runtime/messaging/tasks.py",
        code='@shared_task(name="apps.orders.tasks.resend")\ndef resend() -> None: ...',
        noticed_by=by("task_names", "names_of_modules_as_text"),
    ),
    Leak(
        what="another domain is imported by its name",
        file="apps/orders/service.py",
        code='from importlib import import_module\ntheirs = import_module("apps.payments.service")',
        noticed_by=by("imports_by_name", "names_of_modules_as_text"),
    ),
    Leak(
        what="another domain is imported by a name that is put together",
        file="apps/orders/service.py",
        code='def of(domain): return __import__("apps" + "." + domain)',
        noticed_by=by("imports_by_name"),
    ),
    Leak(
        what="another domain's service is taken from the settings",
        file="apps/orders/sagas.py",
        code='theirs = import_string(settings.SERVICES["payments"])',
        noticed_by=by("imports_by_name", "around_contracts"),
    ),
    Leak(
        what="runtime imports a contract by its name",
        file="runtime/identity/principal.py",
        code='roles = import_string("contracts.users.ROLES")',
        noticed_by=by("imports_by_name", "names_of_modules_as_text"),
    ),
    Leak(
        what="runtime imports a domain by a name that is put together",
        file="runtime/timers/__init__.py",
        code='def of(domain): return import_string(f"apps.{domain}.service.SERVICE")',
        noticed_by=by("imports_by_name", "names_of_modules_as_text"),
    ),
    Leak(
        what="another domain's model is looked up in Django's registry",
        file="apps/orders/queries.py",
        code='from django.apps import apps\nPayment = apps.get_model("payments", "Payment")',
        noticed_by=by("models_by_name"),
    ),
    Leak(
        what="a migration looks another domain's model up",
        file="apps/orders/migrations/0002_copy.py",
        code='def copy(apps, editor): return apps.get_model("payments", "Payment")',
        noticed_by=by("models_by_name"),
    ),
    Leak(
        what="SQL names another domain's table",
        file="apps/orders/queries.py",
        code='PAID = """SELECT o.id FROM orders_order o JOIN payments_payment p ON p.order_id = o.id"""',
        noticed_by=by("sql_of_others"),
        later=NO_SUCH_TABLE,
    ),
    Leak(
        what="SQL names another domain's schema",
        file="apps/orders/queries.py",
        code='def paid(ids): return f"SELECT count(*) FROM payments.payments_payment WHERE order_id IN {ids}"',
        noticed_by=by("sql_of_others"),
        later=NO_RIGHT,
    ),
    Leak(
        what="a model is put on another domain's table",
        file="apps/orders/models.py",
        code='class Payment(models.Model):\n    class Meta:\n        db_table = "payments_payment"',
        noticed_by=by("sql_of_others"),
        later=NO_SUCH_TABLE,
    ),
    Leak(
        what="a domain writes into runtime's tables by itself",
        file="apps/orders/repository.py",
        code='TELL = "INSERT INTO messaging_outboxmessage (event_id) VALUES (%s)"',
        noticed_by=by("sql_of_others"),
    ),
    Leak(
        what="runtime reads a domain's table",
        file="runtime/messaging/relay.py",
        code='WHOSE = "SELECT user_id FROM orders_order WHERE id = %s"',
        noticed_by=by("sql_of_others"),
        later=NO_SUCH_TABLE,
    ),
    Leak(
        what="a domain opens another one's connection",
        file="apps/orders/queries.py",
        code='def theirs(): return connections["payments"].cursor()',
        noticed_by=by("aliases_of_others"),
    ),
    Leak(
        what="a domain opens a transaction in another one's database",
        file="apps/orders/service.py",
        code='def both(): return transaction.atomic(using="inventory")',
        noticed_by=by("aliases_of_others"),
    ),
    Leak(
        what="a domain calls another one's alias its own",
        file="apps/orders/repository.py",
        instead_of='ALIAS = "orders"',
        code='ALIAS = "payments"',
        noticed_by=by("aliases_of_others"),
        later=NO_SUCH_TABLE,
    ),
    Leak(
        what="runtime queries one certain domain",
        file="runtime/messaging/inbox.py",
        code='def users_inbox(): return InboxMessage.objects.using("users").all()',
        noticed_by=by("aliases_of_others"),
    ),
    Leak(
        what="a domain reads how another one logs in",
        file="apps/users/service.py",
        code='url = settings.DATABASES["orders"]',
        noticed_by=by("around_contracts"),
    ),
)
