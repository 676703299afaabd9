from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from runtime.saga import store
from runtime.saga.engine import advance
from runtime.saga.models import SagaRun
from runtime.saga.run import Run
from tests import effects
from tests.runtime.saga.small_sagas import PLAN, Trip


class Desk:
    """Starts runs, goes on with them, and looks at what they left."""

    plan = PLAN

    def begin(self, saga: Any = Trip, subject: UUID | None = None, **data: Any) -> Run:
        with transaction.atomic(using="orders"):
            run = store.start(saga, subject=subject or uuid4(), data=data)
        assert run is not None
        return run

    def go(self, run: Run, *, budget: float = 10.0) -> Run:
        return advance(run, budget=budget)

    def go_on(self, run: Run) -> Run:
        """As whoever comes next: the run is free and is taken over."""
        claimed = store.claim(run.id, using="orders")
        assert claimed is not None, "somebody holds it, or it has ended"
        return self.go(claimed)

    def row(self, run: Run) -> SagaRun:
        return SagaRun.objects.using("orders").get(pk=run.id)

    def tries(self) -> list[str]:
        """Each call of a step, in order."""
        return effects.seen("inventory")

    def done(self, run: Run) -> list[str]:
        """What happened once for its key, without the key."""
        return [name.removeprefix(f"{run.subject}:") for name in effects.seen("payments")]

    def written(self) -> list[str]:
        """What was written in transactions of the process's own domain."""
        return effects.seen("orders")

    def log(self, run: Run) -> list[tuple[str, str, str, int]]:
        return [(e["step"], e["action"], e["result"], e["tries"]) for e in self.row(run).log]


@pytest.fixture
def desk(committed) -> Iterator[Desk]:
    PLAN.clear()
    with effects.tables("orders", "inventory", "payments"):
        yield Desk()
    PLAN.clear()
