"""Who may ask on the inside port: a service, by its token for the domain that is asked."""

from __future__ import annotations

from django.http import HttpRequest

from runtime.http.problem import Problem
from runtime.identity import service_tokens
from runtime.identity.authentication import identify
from runtime.identity.principal import Principal

__all__ = ["require_service"]


def require_service(request: HttpRequest, *, domain: str) -> Principal:
    """Which service asks; the request is its own from here on. Raises Problem for anybody else."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise service_tokens.BadServiceToken
        caller = service_tokens.verify(token.strip(), audience=domain)
    except service_tokens.BadServiceToken:
        detail = f"Only a service with a token for {domain} may ask here."
        raise Problem(401, "invalid_service_token", detail) from None
    identify(request, caller)
    return caller
