"""The addresses at PROBE_BIND, where a worker or a relay is looked after."""

from __future__ import annotations

from django.urls import URLPattern, path

from runtime.telemetry.health import Ready, Started, live
from runtime.telemetry.probes import figures

urlpatterns: list[URLPattern] = [
    path("metrics", figures),
    path("health/live", live),
    path("health/ready", Ready.as_view()),
    path("health/ready/<str:domain>", Ready.as_view()),
    path("health/startup", Started.as_view()),
]
