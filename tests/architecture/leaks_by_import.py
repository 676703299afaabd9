"""Leaks that an import shows: each breaks the contract of importlinter.ini that is meant for it, and no other."""

from __future__ import annotations

from tests.architecture.planting import Leak


def by(*names: str) -> frozenset[str]:
    return frozenset(names)


BY_IMPORT = (
    Leak(
        what="a domain imports another one's service",
        file="apps/orders/service.py",
        code="from apps.payments.service import SERVICE as THEIRS",
        noticed_by=by("apps-are-strangers"),
    ),
    Leak(
        what="a domain imports another one's models inside a function",
        file="apps/orders/queries.py",
        code="def theirs():\n    from apps.inventory.models import Stock\n    return Stock",
        noticed_by=by("apps-are-strangers"),
    ),
    Leak(
        what="a domain imports another one for its types only",
        file="apps/payments/books.py",
        code="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from apps.orders import aggregate",
        noticed_by=by("apps-are-strangers"),
    ),
    Leak(
        what="a contract imports another contract",
        file="contracts/payments.py",
        instead_of="from contracts._base import Event, Listener, Money, Overseen, Ref, Rejected",
        code="from contracts._base import Event, Listener, Money, Overseen, Ref, Rejected\n"
        "from contracts.orders import OrderLine",
        noticed_by=by("contracts-are-strangers"),
    ),
    Leak(
        what="a contract imports Django",
        file="contracts/_base.py",
        code="from django.conf import settings",
        noticed_by=by("contracts-are-plain-python"),
    ),
    Leak(
        what="a contract imports runtime",
        file="contracts/_base.py",
        code="from runtime.embedded import errors",
        noticed_by=by("direction", "runtime-shape"),
    ),
    Leak(
        what="a new contract is not written down",
        file="contracts/shipping.py",
        code='"""Shipping\'s promise."""\nfrom contracts.orders import Order',
        noticed_by=by("contracts_are_all_known", "sections_in_order"),
    ),
    Leak(
        what="runtime imports a domain",
        file="runtime/embedded/launch.py",
        code="from apps.users import apps",
        noticed_by=by("direction"),
    ),
    Leak(
        what="runtime imports a domain's contract",
        file="runtime/identity/principal.py",
        code="from contracts.users import ROLES",
        noticed_by=by("runtime-knows-no-domain"),
    ),
    Leak(
        what="runtime imports config",
        file="runtime/messaging/broker.py",
        code="from config import catalogue",
        noticed_by=by("direction"),
    ),
    Leak(
        what="a domain imports config",
        file="apps/payments/sandbox.py",
        code="from config import catalogue",
        noticed_by=by("direction"),
    ),
    Leak(
        what="models import what stands above them",
        file="apps/users/models.py",
        code="from apps.users import serializers",
        noticed_by=by("app-shape"),
    ),
    Leak(
        what="a view calls a handler",
        file="apps/inventory/views.py",
        code="from apps.inventory import handlers",
        noticed_by=by("app-shape"),
    ),
    Leak(
        what="an aggregate, which is plain Python, uses a model",
        file="apps/orders/aggregate.py",
        code="from apps.orders import models",
        noticed_by=by("app-shape"),
    ),
    Leak(
        what="a domain has a file that the shape does not name",
        file="apps/orders/pricing.py",
        code='"""Prices."""',
        noticed_by=by("app-shape", "same_files_in_every_domain"),
    ),
    Leak(
        what="a domain is added without the shape",
        file="apps/shipping/__init__.py",
        code='"""Parcels."""',
        noticed_by=by("app-shape", "same_files_in_every_domain"),
    ),
    Leak(
        what="a handler imports models",
        file="apps/inventory/handlers.py",
        code="from apps.inventory.models import Stock",
        noticed_by=by("views-stay-thin"),
    ),
    Leak(
        what="a task imports lookups past the service",
        file="apps/payments/tasks.py",
        code="from apps.payments import queries",
        noticed_by=by("views-stay-thin"),
    ),
    Leak(
        what="a service answers with HTTP",
        file="apps/inventory/service.py",
        code="from rest_framework.response import Response",
        noticed_by=by("domain-knows-no-transport"),
    ),
    Leak(
        what="a saga sends tasks",
        file="apps/orders/sagas.py",
        code="from celery import shared_task",
        noticed_by=by("domain-knows-no-transport"),
    ),
    Leak(
        what="books raise HTTP problems",
        file="apps/payments/books.py",
        code="from runtime.http.problem import Problem",
        noticed_by=by("domain-knows-no-transport"),
    ),
    Leak(
        what="a low capability uses a high one",
        file="runtime/embedded/binaries.py",
        code="from runtime.saga import store",
        # Saga's calls look for keys, whose last good ones are kept as the embedded servers' state is: a circle as well.
        noticed_by=by("runtime-shape", "no-cycles"),
    ),
    Leak(
        what="two capabilities of one layer know each other",
        file="runtime/eventstore/store.py",
        code="from runtime.messaging import outbox",
        noticed_by=by("runtime-shape"),
    ),
    Leak(
        what="a capability is not listed",
        file="runtime/pricing/__init__.py",
        code='"""Prices come from one place."""',
        noticed_by=by("runtime-shape"),
    ),
    Leak(
        what="runtime gets a drawer for all sorts of things",
        file="runtime/utils.py",
        noticed_by=by("runtime-shape", "names_that_say_nothing"),
    ),
    Leak(
        what="modules of one capability import each other in a circle",
        file="runtime/messaging/envelope.py",
        code="from runtime.messaging import broker",
        noticed_by=by("no-cycles"),
    ),
)
