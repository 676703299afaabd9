"""``manage.py openapi``: writes docs/openapi.json; with ``--check`` says whether it is what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.openapi import WRITTEN, document
from config.urls import API, DOMAIN_URLS


class Command(BaseCommand):
    help = "Writes docs/openapi.json from the views; --check fails where it would change, or where a view is unclear."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on any difference")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if missing := DOMAIN_URLS.keys() - API.keys():
            raise CommandError(f"The document is of all domains, and {', '.join(sorted(missing))} is not hosted here.")
        found, guesses = document(list(API.values()))
        if guesses:
            raise CommandError("Some views do not say what they answer:\n" + "\n".join(guesses))
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        path = Path(settings.BASE_DIR) / WRITTEN
        if check:
            self._compare(path, text)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _compare(self, path: Path, text: str) -> None:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            raise CommandError(f"{path.name} is not what the code says: run `manage.py openapi`.")
