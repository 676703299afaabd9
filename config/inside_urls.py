"""The addresses of the inside port: for whoever runs this, and no customer."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from runtime.telemetry.metrics import metrics

urlpatterns: list[URLPattern | URLResolver] = [path("metrics", metrics)]

handler400 = "runtime.http.problems.handler400"
handler403 = "runtime.http.problems.handler403"
handler404 = "runtime.http.problems.handler404"
handler500 = "runtime.http.problems.handler500"
