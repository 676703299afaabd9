"""The web process: ``gunicorn config.wsgi``."""

import os
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery's app has to be this process's current one before anything is sent.
from config.celery import app as celery_app  # noqa: F401

application = get_wsgi_application()


def answers_ready() -> bool:
    """Ask the application, in this process, whether it is ready. Loads all that the first request would have to."""
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda data: None

    asked: dict[str, Any] = {"PATH_INFO": "/health/ready"}
    setup_testing_defaults(asked)
    b"".join(application(asked, start_response))
    return statuses[:1] == ["200 OK"]
