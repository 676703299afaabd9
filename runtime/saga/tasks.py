"""What workers run for sagas."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from runtime.saga import sweeper


@shared_task(name=sweeper.RESUME)
def resume_saga(*, domain: str, run_id: str, after: int | None = None) -> None:
    sweeper.resume(UUID(run_id), domain=domain, after=after)
