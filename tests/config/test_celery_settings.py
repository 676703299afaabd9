"""Celery loses work by default in several ways: each setting that prevents one of them is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from config.celery import _own_connections, app
from runtime.messaging.broker import DELIVER
from runtime.messaging.tasks import REDELIVER
from runtime.saga.sweeper import RESUME

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "value", "otherwise"),
    [
        ("task_acks_late", True, "a worker that is killed loses what it was at"),
        ("task_reject_on_worker_lost", True, "a child that is killed loses what it was at"),
        ("worker_prefetch_multiplier", 1, "a child takes others' messages with it"),
        ("worker_enable_prefetch_count_reduction", False, "after a reconnect most children stay idle"),
        ("worker_cancel_long_running_tasks_on_connection_loss", True, "one message runs twice at once"),
        ("accept_content", ["json"], "a pickle runs code"),
        ("task_serializer", "json", "a pickle runs code"),
        ("task_ignore_result", True, "results pile up that nobody reads"),
        ("task_create_missing_queues", False, "a misspelt queue is made, and nobody listens to it"),
        ("broker_connection_retry_on_startup", True, "a worker that starts before the broker ends"),
        ("broker_connection_max_retries", None, "a worker gives up on a broker that is away for long"),
    ],
)
def test_each_setting_that_keeps_work_from_being_lost_is_there(name, value, otherwise):
    assert app.conf[name] == value, otherwise


def test_an_unacknowledged_message_is_handed_out_again_within_the_time_that_is_promised():
    assert app.conf.broker_transport_options["visibility_timeout"] <= 60


def test_every_hosted_domain_has_its_queue_and_no_other_is_listened_to():
    assert [queue.name for queue in app.conf.task_queues] == list(settings.HOSTED_DOMAINS)
    assert all(queue.durable for queue in app.conf.task_queues)


def test_the_tasks_that_messages_name_are_all_there():
    app.loader.import_default_modules()

    assert {DELIVER, REDELIVER, RESUME} <= set(app.tasks)


def test_a_child_of_the_worker_opens_connections_of_its_own(committed):
    with connections["orders"].cursor() as cursor:
        cursor.execute("SELECT 1")

    _own_connections()

    assert all(connection.connection is None for connection in connections.all(initialized_only=True))


def test_without_a_broker_the_application_can_be_imported_and_reaches_nothing(tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    code = "from config.celery import app; print(app.conf.broker_url)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environ, "STATE_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "memory://nowhere\n"), done.stderr
