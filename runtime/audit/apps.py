from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "runtime.audit"
    label = "audit"
