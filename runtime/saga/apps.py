from django.apps import AppConfig


class SagaConfig(AppConfig):
    name = "runtime.saga"
    label = "saga"
