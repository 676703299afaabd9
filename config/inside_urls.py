"""The addresses of the inside port: for whoever runs this and for our own services, and no customer."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from runtime.calls.serving import contracts
from runtime.http import configuration
from runtime.identity.jwks import jwks
from runtime.telemetry.health import Ready, Started, live
from runtime.telemetry.metrics import metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("internal/config", configuration.values),
    path("internal/config/<str:key>", configuration.one_value),
    path("metrics", metrics),
    path(".well-known/jwks.json", jwks),
    path("health/live", live),
    path("health/ready", Ready.as_view()),
    path("health/ready/<str:domain>", Ready.as_view()),
    path("health/startup", Started.as_view()),
    path("internal/contracts/<str:domain>/<str:method>", contracts),
]

handler400 = "runtime.http.problems.handler400"
handler403 = "runtime.http.problems.handler403"
handler404 = "runtime.http.problems.handler404"
handler500 = "runtime.http.problems.handler500"
