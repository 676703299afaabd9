"""``GET /.well-known/jwks.json``: the public keys, for whoever checks our tokens."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from runtime.identity.keys import verifying_keys

_CACHED_SECONDS = 300
"""A new key is published this long before it signs."""


@require_safe
def jwks(request: HttpRequest) -> HttpResponse:
    answer = JsonResponse(verifying_keys().jwks())
    answer["Cache-Control"] = f"public, max-age={_CACHED_SECONDS}"
    return answer
