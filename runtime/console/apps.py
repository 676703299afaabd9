from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class ConsoleConfig(AppConfig):
    name = "runtime.console"
    label = "console"
    default = True

    def ready(self) -> None:
        from runtime.console import checks  # noqa: F401 - registers the check of the pages


class AdminConfig(SimpleAdminConfig):
    """Django's admin with our site as the one and only. Nothing registers itself: config/urls.py loads the pages."""

    default_site = "runtime.console.site.Console"
