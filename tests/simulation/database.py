"""A database that a process has to itself, as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2
from django.db import connections


@contextmanager
def own_database() -> Iterator[None]:
    name = urlsplit(os.environ["DATABASE_URL"]).path.lstrip("/")
    admin = psycopg2.connect(os.environ["TEST_ADMIN_URL"])
    admin.autocommit = True
    try:
        with admin.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}"')
            yield
            connections.close_all()
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        admin.close()
