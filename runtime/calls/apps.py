from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "runtime.calls"
    label = "calls"

    def ready(self) -> None:
        from runtime.calls import checks  # noqa: F401 - registers the check of implementations
