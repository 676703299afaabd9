from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "apps.orders"
    label = "orders"

    def ready(self) -> None:
        from apps.orders import sagas  # noqa: F401 - a worker resumes runs by the names that are declared there
