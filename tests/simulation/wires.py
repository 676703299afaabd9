"""
What lies between the domains, and between them and their databases: here calls fail, and answers get lost.

The services behind the wires are the real ones, the calls go through the real codec before they come here, and what
fails fails as the contracts say that it may.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from django.conf import settings
from django.db.utils import OperationalError
from django.utils.module_loading import import_string

from contracts._base import Rejected, Superseded, Unavailable
from runtime.calls import current_call
from runtime.calls.routing import protocol_of
from runtime.calls.signatures import methods_of

FENCED = {"inventory": {"reserve", "release"}, "payments": {"charge", "capture", "void", "refund"}}
"""The calls that refuse whoever has slept and was followed by a later holder of his lease."""


class Wire:
    """Stands for a domain's service where the others resolve it."""

    world: Any = None
    """The run that goes on; None, and nothing happens on the way."""

    def __init__(self, domain: str) -> None:
        service = import_string(f"apps.{domain}.service.SERVICE")
        for method in methods_of(protocol_of(import_string(settings.CONTRACTS[domain]))):
            setattr(self, method.name, self._between(domain, method.name, getattr(service, method.name)))

    def _between(self, domain: str, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def carried(**arguments: Any) -> Any:
            world = Wire.world
            if world is None or world.actor is None:
                return real(**arguments)
            if lease := current_call().lease:
                world.held(lease.id, lease.epoch)
            if order_id := arguments.get("order_id"):
                world.trace.call(order_id, "order")
            world.pause(f"calls {domain}.{name} {arguments.get('key', '')}")
            if world.fault("call fails before it runs"):
                raise Unavailable(f"{domain} did not answer")
            run = partial(_fenced, world, domain, name, partial(real, **arguments))
            if world.fault("call is on its way for long"):
                world.broker.put(f"late {domain}.{name}", partial(_arrive, world, copy_context(), run))
                raise Unavailable(f"{domain} did not answer in time")
            answer = run()
            if world.fault("call's answer is lost"):
                raise Unavailable(f"{domain} did not answer in time")
            world.pause(f"has {domain}.{name} answered")
            return answer

        return carried


def _arrive(world: Any, context: Context, run: Callable[[], Any]) -> None:
    """A call comes after its caller has given it up, under the lease that it was made under."""
    if world.actor is not None:
        world.wait(world.dice.between(0, 40))
    with suppress(Rejected, Superseded):
        context.run(run)


def _fenced(world: Any, domain: str, name: str, run: Callable[[], Any]) -> Any:
    """Run it, and see to it that no earlier holder of a lease gets through after a later one."""
    lease = current_call().lease
    if lease is None or name not in FENCED.get(domain, ()):
        return run()
    seen: dict[Any, int] = world.fences[domain]
    late = seen.get(lease.id, 0) > lease.epoch
    try:
        answer = run()
    except Superseded:
        world.tell_fault("a later holder was there")
        raise
    if late:
        world.broken(f"{domain}.{name} let a holder through that a later one had followed")
    seen[lease.id] = max(seen.get(lease.id, 0), lease.epoch)
    return answer


USERS, INVENTORY, PAYMENTS, ORDERS = (Wire(domain) for domain in ("users", "inventory", "payments", "orders"))

SERVICES = {name: f"tests.simulation.wires.{name.upper()}" for name in ("users", "inventory", "payments", "orders")}


_SAVES = "SET state = %(state)s"
"""Part of the statement that saves a run of a process."""


def _changed(context: Any) -> bool:
    return bool(context["cursor"].rowcount)


def tap(connection: Any) -> None:
    """Have what this connection commits fail, or be reported as failed, where the run says so."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    commit = connection._commit

    def commit_or_not() -> None:
        world = Wire.world
        if world is not None and world.fault("commit fails"):
            raise OperationalError("the connection was lost before COMMIT")
        commit()
        if world is not None and world.fault("commit's answer is lost"):
            raise OperationalError("the answer to COMMIT was lost")

    def execute_or_not(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        world = Wire.world
        if world is not None and world.actor is not None and world.actor.dead:
            world.broken(f"a process that was gone executed {statement[:60]}")
        answer = execute(statement, parameters, many, context)
        saves = _SAVES in statement
        if saves and world is not None and world.held(parameters["id"], parameters["epoch"]) and _changed(context):
            world.broken(f"a holder of process {parameters['id']} saved it after a later one had gone on with it")
        if saves and not connection.in_atomic_block and world is not None and world.fault("save's answer is lost"):
            raise OperationalError("the answer to UPDATE was lost")
        return answer

    connection._commit = commit_or_not
    connection.execute_wrappers.append(execute_or_not)
