from django.apps import AppConfig


class SagaConfig(AppConfig):
    name = "runtime.saga"
    label = "saga"

    def ready(self) -> None:
        from runtime.saga import checks  # noqa: F401 - registers the check of open runs
