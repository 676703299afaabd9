from django.apps import AppConfig


class EventStoreConfig(AppConfig):
    name = "runtime.eventstore"
    label = "eventstore"
