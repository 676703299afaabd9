from django.apps import AppConfig
from django.core.signals import setting_changed


class DynconfConfig(AppConfig):
    name = "runtime.dynconf"
    label = "dynconf"

    def ready(self) -> None:
        from runtime.dynconf import checks, values  # noqa: F401 - registers the check of what is declared

        setting_changed.connect(values.defaults_may_have_changed)
