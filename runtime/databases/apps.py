from django.apps import AppConfig


class DatabasesConfig(AppConfig):
    name = "runtime.databases"
    label = "databases"

    def ready(self) -> None:
        from runtime.telemetry.statements import trace_statements

        trace_statements()
