from django.apps import AppConfig


class DatabasesConfig(AppConfig):
    name = "runtime.databases"
    label = "databases"
