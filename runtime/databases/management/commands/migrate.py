"""
``manage.py migrate``: schema, roles and tables of each hosted domain, in its own alias.

Django's own command would write every app's migrations down as applied in each alias, without their tables. Here
each alias gets runtime's tables and its own domain's, as its owner role, and nothing else.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections

from runtime.databases.roles import provision, restrict_append_only
from runtime.databases.urls import connection_settings


class Command(DjangoMigrate):
    help = "Makes schema, roles and tables of each hosted domain. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--domain", choices=settings.HOSTED_DOMAINS, help="only this domain")

    def handle(self, *args: Any, **options: Any) -> None:
        domain = options.pop("domain", None)
        if options.get("app_label"):
            # Somebody moves one app by hand: then --database says where, as Django has it.
            super().handle(*args, **options)
            return
        for alias in [domain] if domain else settings.HOSTED_DOMAINS:
            self._migrate_domain(alias, options)

    def _migrate_domain(self, alias: str, options: dict[str, Any]) -> None:
        admin_url, owner_url = settings.DATABASE_ADMINS[alias], settings.DATABASE_OWNERS[alias]
        if not owner_url:
            raise CommandError(
                f"No database is known for {alias}: set DATABASE_URL or {alias.upper()}_DATABASE_URL, or run `make up`."
            )
        # --check only looks: a process may ask it that must not make anything.
        looks_only = options.get("check_unapplied", False)
        if admin_url and not looks_only:
            provision(admin_url=admin_url, domain=alias, secret_key=settings.SECRET_KEY)
        running = connections[alias].settings_dict.copy()
        connections[alias].close()
        connections[alias].settings_dict.update(connection_settings(owner_url))
        try:
            for app_label in (*settings.RUNTIME_APPS, alias):
                super().handle(**{**options, "database": alias, "app_label": app_label, "migration_name": None})
        finally:
            connections[alias].close()
            connections[alias].settings_dict.clear()
            connections[alias].settings_dict.update(running)
        if not looks_only:
            restrict_append_only(owner_url=owner_url, domain=alias, tables=append_only_tables(alias))


def append_only_tables(domain: str) -> list[str]:
    """Tables whose model says ``append_only = True``."""
    return [
        model._meta.db_table
        for label in (*settings.RUNTIME_APPS, domain)
        for model in apps.get_app_config(label).get_models()
        if getattr(model, "append_only", False)
    ]
