"""A call to a service in another process, over HTTP to its inside port."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Never

from contracts._base import ContractError, DeadlineExceeded, Unavailable
from runtime.calls.connections import Answer, AnswerTooLarge
from runtime.calls.context import current_call
from runtime.calls.counting import counted
from runtime.calls.guards import guard_of
from runtime.calls.manners import BrokenService, Client, CrashedService, before_calling, packed
from runtime.calls.pool import POOL, unavailable
from runtime.calls.signatures import Method
from runtime.calls.wire import PATH, USER, error_of, errors_of, headers_of
from runtime.codec import NotDecodable, decode
from runtime.discovery import Instance, NoInstance, choose, told
from runtime.identity import service_tokens
from runtime.identity.speaking import current_user_token
from runtime.telemetry.tracing import current_request_id, current_traceparent

log = logging.getLogger(__name__)

_FAIR_SECONDS = 1.0
"""Who does not answer within a shorter time is not taken for gone."""
_TURNED_AWAY = frozenset({401, 421})
"""Keys or routes that are being changed: nothing ran, and asking again helps once they agree."""
_NOT_JSON = object()
_SERVERS_FAULT = 500
_OVERLOADED = frozenset({408, 429, 502, 503, 504})


class RemoteClient(Client):
    """Stands for a service that other processes host, wherever discovery finds them."""

    def __init__(self, *, domain: str, protocol: type) -> None:
        errors = errors_of(protocol)

        def make(method: Method) -> Callable[..., Any]:
            return _asking(domain, method, errors)

        super().__init__(domain=domain, protocol=protocol, make=make)


def _asking(domain: str, method: Method, errors: Mapping[str, type[ContractError]]) -> Callable[..., Any]:
    call, path = f"{domain}.{method.name}", PATH.format(domain=domain, method=method.name)

    def invoke(**arguments: Any) -> Any:
        before_calling(domain, method, arguments)
        members = [
            json.dumps(name).encode() + b":" + value for name, value in packed(domain, method, arguments).items()
        ]
        body = b"{" + b",".join(members) + b"}"

        def once(seconds: float) -> Any:
            answer = _answer(domain, path, call=call, body=body, seconds=seconds)
            if answer.status == 200:
                return _value(call, method, answer)
            _raise(call, answer, errors)

        return guard_of(domain).ask(method.name, once, keyed=method.is_keyed, left=current_call().remaining)

    return counted(domain, method.name, "remote", invoke)


def _answer(domain: str, path: str, *, call: str, body: bytes, seconds: float) -> Answer:
    try:
        return _ask_one(domain, path, body=body, seconds=seconds)
    except AnswerTooLarge as error:
        raise BrokenService(f"{call} failed: {error}") from error
    except DeadlineExceeded:
        raise
    except Unavailable as error:
        raise unavailable(f"{domain} cannot be reached: {error.detail}", may_have_run=error.may_have_run) from error


def _ask_one(domain: str, path: str, *, body: bytes, seconds: float) -> Answer:
    """
    The answer of one instance. Where nothing could be sent to it, another one is asked at once, whatever it is asked:
    that is no second time. Raises as Pool.post does, and NoInstance.
    """
    until = time.monotonic() + seconds
    instance, tried = choose(domain, seconds=seconds), []
    while True:
        try:
            return _post(instance, path, body=body, seconds=until - time.monotonic())
        except Unavailable as error:
            if error.may_have_run or isinstance(error, DeadlineExceeded):
                raise
            tried.append(instance)
            try:
                instance = choose(domain, seconds=0.0, besides=tried)
            except NoInstance:
                raise error from None


def _post(instance: Instance, path: str, *, body: bytes, seconds: float) -> Answer:
    """As Pool.post; and tells discovery how it went."""
    headers = _headers(instance.domain, seconds=max(0.0, seconds))
    reached: bool | None = True
    if instance.host:
        headers["Host"] = instance.host
    try:
        return POOL.post(instance.url + path, body=body, headers=headers, seconds=seconds)
    except DeadlineExceeded:
        reached = None
        raise
    except Unavailable as error:
        # Whoever was given hardly any time may be well.
        reached = None if error.may_have_run and seconds < _FAIR_SECONDS else False
        raise
    finally:
        told(instance, ok=reached)


def _headers(domain: str, *, seconds: float) -> dict[str, str]:
    beside = {USER: current_user_token(), "traceparent": current_traceparent(), "X-Request-Id": current_request_id()}
    return {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {service_tokens.issue(audience=domain)}",
        **headers_of(current_call(), seconds=seconds),
        **{name: value for name, value in beside.items() if value is not None},
    }


def _value(call: str, method: Method, answer: Answer) -> Any:
    try:
        if answer.media_type == "application/json":
            return decode(answer.body, method.returns)
    except NotDecodable as error:
        if _json(answer.body) is not _NOT_JSON:
            raise BrokenService(f"{call} failed: its answer is not what the contract says: {error}") from error
    # Cut short, or the page of somebody who stands between.
    raise unavailable(f"{call} was answered with something that is no answer of ours", may_have_run=True)


def _raise(call: str, answer: Answer, errors: Mapping[str, type[ContractError]]) -> Never:
    problem = _json(answer.body) if answer.media_type == "application/problem+json" else None
    if not isinstance(problem, dict):
        raise unavailable(f"{call} was answered {answer.status} by somebody else", may_have_run=True)
    if error := error_of(problem, status=answer.status, known=errors):
        raise error
    said = f"{answer.status} {problem.get('code')}: {problem.get('detail')}"
    if answer.status in _TURNED_AWAY:
        log.error("%s was turned away: %s", call, said)
        raise unavailable(f"{call} was turned away: {said}", may_have_run=False)
    if answer.status in _OVERLOADED:
        raise unavailable(f"{call} was not answered: {said}", may_have_run=True)
    kind = CrashedService if answer.status >= _SERVERS_FAULT else BrokenService
    raise kind(f"{call} failed: {said}")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON
