"""
``POST /internal/contracts/{domain}/{method}``: the callee's side, on the inside port only, for services only.

A contract's error arrives as itself, with its kinds (wire.py). Everything else that is the caller's fault is a 4xx: its
token (401), a domain that is not hosted here (421), a method that the contract does not have (404) or that is not for
this caller (403), arguments (400). A bug here is a 500 that says which call failed, and the rest to our own log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.module_loading import import_string

from contracts._base import ContractError
from runtime.calls.context import call, current_call
from runtime.calls.counting import rpc
from runtime.calls.manners import BrokenService, packed_answer, perform
from runtime.calls.routing import protocol_of
from runtime.calls.signatures import Method, methods_of
from runtime.calls.wire import USER, lease_of, problem_of, seconds_of
from runtime.codec import NotDecodable, from_plain
from runtime.http.parser import LARGEST_BODY, parse, too_large
from runtime.http.problem import Problem, field_error
from runtime.http.problems import problem_response
from runtime.http.services import require_service
from runtime.identity import service_tokens
from runtime.identity.principal import Principal
from runtime.identity.speaking import speaking_for
from runtime.identity.tokens import BadToken, verify_carried
from runtime.telemetry.spans import annotate, use_name

__all__ = ["contracts"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    method: Method
    run: Callable[..., Any]


def contracts(request: HttpRequest, domain: str, method: str) -> HttpResponse:
    """One call. Answers with the encoded value, or a problem."""
    try:
        answer = _answer(request, domain, method)
    except Problem as problem:
        return problem_response(problem, request=request)
    except ContractError as error:
        return problem_response(problem_of(error), request=request)
    except BrokenService as error:
        log.error("%s.%s failed", domain, method, exc_info=error)
        why = type(error.__cause__ or error).__name__
        return problem_response(Problem(500, "internal_error", f"{why}; its log says more."), request=request)
    return HttpResponse(answer, content_type="application/json")


def _answer(request: HttpRequest, domain: str, name: str) -> bytes:
    if request.method != "POST":
        raise Problem(405, "method_not_allowed", f"{request.method} is not answered here.", headers={"Allow": "POST"})
    caller = require_service(request, domain=domain)
    served = _served(domain, name)
    _require_allowed(caller, domain, name)
    use_name(f"{domain}/{name}")
    annotate(rpc(domain, name))
    arguments = _arguments(request, served.method)
    with _ambient(request):
        current_call().require_time()
        return perform(domain, name, served.run, arguments, finish=partial(packed_answer, type_=served.method.returns))


def _require_allowed(caller: Principal, domain: str, method: str) -> None:
    """A process that hosts several domains may ask whatever one of them may."""
    allowed: frozenset[str] = settings.CALLERS.get(domain, {}).get(method, frozenset())
    if allowed.isdisjoint(service_tokens.domains_of(caller)):
        raise Problem(403, "caller_not_allowed", f"{caller.id} may not ask {domain} for {method}.")


def _served(domain: str, name: str) -> _Served:
    if domain not in settings.HOSTED_DOMAINS:
        raise Problem(421, "not_hosted", f"{domain} is not hosted here.")
    served = _methods(settings.CONTRACTS[domain], settings.SERVICES[domain]).get(name)
    if served is None:
        raise Problem(404, "unknown_method", f"The contract of {domain} has no method {name!r} here.")
    return served


@cache
def _methods(contract: str, service: str) -> Mapping[str, _Served]:
    """Of the Protocol, and nothing else that the service can do."""
    implementation = import_string(service)
    protocol: Any = protocol_of(import_string(contract))
    return {
        method.name: _Served(method=method, run=getattr(implementation, method.name)) for method in methods_of(protocol)
    }


def _arguments(request: HttpRequest, method: Method) -> dict[str, Any]:
    """Raises Problem for what is unknown (a newer caller's), missing, or not of its type."""
    given = _body(request)
    for name in given.keys() - method.parameters.keys():
        raise _bad_argument(name, "unknown_argument", f"{method.name} has no parameter of this name here.")
    for name in method.parameters.keys() - given.keys() - method.optional:
        raise _bad_argument(name, "missing_argument", f"{method.name} needs it.")
    found = {}
    for name, value in given.items():
        try:
            found[name] = from_plain(value, method.parameters[name])
        except (NotDecodable, ValueError) as error:
            raise _bad_argument(name, "invalid_argument", str(error)) from None
    return found


def _bad_argument(name: str, code: str, detail: str) -> Problem:
    return Problem(400, code, f"{name}: {detail}", errors=[field_error(f"/{name}", code, detail)])


def _body(request: HttpRequest) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Problem(415, "unsupported_media_type", "Arguments are JSON.", headers={"Accept": "application/json"})
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdigit() or int(declared) > LARGEST_BODY:
        raise too_large()
    try:
        return parse(request.body)
    except UnreadablePostError:
        raise Problem(400, "body_cut_short", "The body ended before it was whole.") from None


@contextmanager
def _ambient(request: HttpRequest) -> Iterator[None]:
    """What travelled beside the arguments: how long there is, on whose lease, for which user. Raises Problem."""
    with ExitStack() as stack:
        stack.enter_context(call(seconds=seconds_of(request.headers), lease=lease_of(request.headers)))
        if token := request.headers.get(USER):
            try:
                stack.enter_context(speaking_for(verify_carried(token), token=token))
            except BadToken:
                raise Problem(401, "invalid_user_token", f"{USER} is no good token of a user's.") from None
        yield
