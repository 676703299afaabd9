"""There is no default database to fall into: whatever forgets to say where, fails."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction

from apps.inventory.models import Product

# Real commits, since a test case of Django's own would refuse the alias before the settings do.
pytestmark = pytest.mark.usefixtures("committed")

NOT_CONFIGURED = r"settings\.DATABASES is improperly configured"


def test_the_default_alias_is_there_and_leads_nowhere() -> None:
    assert settings.DATABASES["default"].get("NAME") in {None, ""}
    assert settings.DATABASES["default"]["ENGINE"] == "django.db.backends.dummy"


def test_a_query_on_the_default_database_fails() -> None:
    with pytest.raises(ImproperlyConfigured, match=NOT_CONFIGURED):
        connections["default"].cursor()
    with pytest.raises(ImproperlyConfigured, match=NOT_CONFIGURED):
        connection.cursor()
    with pytest.raises(ImproperlyConfigured, match=NOT_CONFIGURED):
        Product.objects.using("default").count()


def test_a_transaction_on_no_database_in_particular_cannot_be_opened() -> None:
    with pytest.raises(ImproperlyConfigured, match=NOT_CONFIGURED), transaction.atomic():
        pytest.fail("there was a default database")


def test_nothing_can_wait_for_a_commit_of_no_database_in_particular() -> None:
    ran: list[bool] = []

    with pytest.raises((ImproperlyConfigured, transaction.TransactionManagementError)):
        transaction.on_commit(lambda: ran.append(True))

    assert ran == []
