"""Inserts that may meet a row that is there already."""

from __future__ import annotations

from django.db import connections
from django.db.models import Model
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery


def insert_once(row: Model, *, using: str) -> bool:
    """
    Insert this row unless one of its unique keys is taken. Whether it was inserted. What the database fills in (an
    identity, a default) is not read back.

    A unique violation would abort the whole transaction, so the row count is asked instead. Waits for a transaction
    that has inserted the same key and not ended yet.
    """
    model = type(row)
    fields = [
        field
        for field in model._meta.concrete_fields
        if not field.generated and not (field.primary_key and row.pk is None)
    ]
    query = InsertQuery(model, on_conflict=OnConflict.IGNORE)
    query.insert_values(fields, [row])
    with connections[using].cursor() as cursor:
        for statement, parameters in query.get_compiler(using=using).as_sql():
            cursor.execute(statement, parameters)
            return bool(cursor.rowcount == 1)
    raise AssertionError("unreachable: one row is one statement")
