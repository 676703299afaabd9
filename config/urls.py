"""Every address. A domain's urls.py is mounted below /api/ and starts with the domain's own name."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from config.openapi import schema_view
from runtime.http.docs import DocsView
from runtime.identity.jwks import jwks
from runtime.telemetry.health import Ready, Started, live

DOMAIN_URLS = {
    "users": "apps.users.urls",
    "inventory": "apps.inventory.urls",
    "payments": "apps.payments.urls",
    "orders": "apps.orders.urls",
}
"""Which module has a domain's addresses."""

API: dict[str, URLResolver] = {
    domain: path("api/", include(module)) for domain, module in DOMAIN_URLS.items() if domain in settings.HOSTED_DOMAINS
}

for domain in reversed(API):
    # Each registers its pages of the console.
    import_module(f"apps.{domain}.admin")

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", live),
    path("health/ready", Ready.as_view()),
    path("health/ready/<str:domain>", Ready.as_view()),
    path("health/startup", Started.as_view()),
    path("health", Ready.as_view()),
    path(".well-known/jwks.json", jwks),
    # The documents are of all domains, whoever hosts them.
    path("api/schema", schema_view()),
    path("api/docs", DocsView.as_view()),
    *(path(f"api/{domain}/schema", schema_view(domain)) for domain in DOMAIN_URLS),
    *API.values(),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
]

handler400 = "runtime.http.problems.handler400"
handler403 = "runtime.http.problems.handler403"
handler404 = "runtime.http.problems.handler404"
handler500 = "runtime.http.problems.handler500"
