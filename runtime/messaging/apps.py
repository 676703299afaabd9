from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "runtime.messaging"
    label = "messaging"

    def ready(self) -> None:
        from runtime.messaging import checks  # noqa: F401 - registers the check of handlers
