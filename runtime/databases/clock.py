"""
The database's clock: the one time that leases, deadlines and events go by.

``clock_now()`` is a function in each domain's schema. It is the server's clock_timestamp() plus the setting
``mitosis.clock_shift``, which is unset in production and which a test sets to make time pass.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.db import connections
from django.db.models import DateTimeField, Func

CLOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION {schema}.clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT clock_timestamp() + coalesce(nullif(current_setting('mitosis.clock_shift', true), ''), '0s')::interval
$$
"""


class Now(Func):
    """The time in a query: ``filter(due_at__lte=Now())``, ``Now() + timedelta(...)``, ``db_default=Now()``."""

    function = "clock_now"
    arity = 0
    output_field = DateTimeField()


def database_time(using: str) -> datetime:
    """What time it is for this domain."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT clock_now()")
        return cast(datetime, cursor.fetchone()[0])
