from django.apps import AppConfig


class PulsesConfig(AppConfig):
    name = "runtime.pulses"
    label = "pulses"
