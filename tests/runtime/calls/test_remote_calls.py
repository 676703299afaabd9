"""Whatever a neighbour does, the caller gets one of three: the contract's word, an outage, or a bug."""

from __future__ import annotations

import json
import socket
import threading
import time
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.dynamic_values import values_of_calls
from contracts._base import ContractError, Ref, Rejected, Superseded, Unavailable
from runtime.calls import BrokenService, Lease, call, resolve
from runtime.calls.manners import LARGEST_ANSWER
from runtime.resilience import MethodPolicy
from tests.runtime.calls.depot import Depot, ShelfFull
from tests.runtime.calls.neighbours import answer, dripping, resetting, saying, silent
from tests.runtime.calls.services import BoxMissing
from tests.together import wait_until

PROBLEM = "application/problem+json"


def problem(status: str, **members: object) -> bytes:
    return answer(json.dumps(members).encode(), status=status, media_type=PROBLEM)


def unavailable(depot: Depot, *, deed: str = "nothing") -> Unavailable:
    with pytest.raises(Unavailable) as raised:
        depot.act(deed=deed)
    assert type(raised.value) is Unavailable
    return raised.value


# --- Where it is ----------------------------------------------------------------------------------------------------


def test_a_domain_without_an_address_is_refused_with_the_setting_that_it_needs():
    with pytest.raises(ImproperlyConfigured, match=r"^shed is not hosted here, and SHED_URL is not set: .*inside port"):
        resolve(Ref[Depot]("shed"))


def test_a_domain_that_is_hosted_here_is_not_asked_over_the_wire(hosting, settings):
    settings.SERVICE_URLS = {"depot": "http://127.0.0.1:1"}

    assert resolve(Ref[Depot]("depot")).act(deed="nothing") == 1


# --- Garbage --------------------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_ANSWERS = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": b"",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "headers cut short": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "a body cut short": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n1",
    "a chunk cut short": CHUNKED + b"5\r\n1",
    "a chunk of no size": CHUNKED + b"xyz\r\n",
    "not JSON": answer(b"{"),
    "no body": answer(b""),
    "a page": answer(b"<html>1</html>", media_type="text/html"),
    "a number as a page": answer(b"1", media_type="text/plain"),
    "a proxy's page": answer(b"<html>Bad Gateway</html>", status="502 Bad Gateway", media_type="text/html"),
    "an error that is a page": answer(b"<html>", status="404 Not Found", media_type="text/html"),
    "an error in another JSON": answer(b'{"code": 1}', status="500 Oops"),
    "a problem that is no object": answer(b"[1]", status="409 Conflict", media_type=PROBLEM),
    "a problem that is not JSON": answer(b"{", status="409 Conflict", media_type=PROBLEM),
    "a problem that is deep": answer(b"[" * 200_000, status="409 Conflict", media_type=PROBLEM),
    "overloaded": problem("503 Service Unavailable", code="too_many", detail="Later."),
    "compressed": answer(b"\x1f\x8b\x08\x00", Content_Encoding="gzip"),
    "an informal redirect": answer(b"1", status="302 Found", Location="/elsewhere"),
}


@pytest.mark.parametrize("said", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_of_ours_is_an_outage_that_may_have_run(neighbour, said):
    there, depot = neighbour(saying(said))

    assert unavailable(depot).may_have_run is True
    assert len(there.requests) == 1


BUGS = {
    "another type": answer(b'"a word"'),
    "null": answer(b"null"),
    "a malformed body": problem("400 Bad Request", code="malformed_json", detail="The body is not JSON."),
    "an unknown method": problem("404 Not Found", code="unknown_method", detail="There is none."),
    "too large": problem("413 Content Too Large", code="body_too_large", detail="It is."),
    "a bug": problem("500 Oops", code="internal_error", detail="It is."),
}


@pytest.mark.parametrize("said", BUGS.values(), ids=BUGS)
def test_what_asking_again_would_not_change_is_a_bug_and_no_outage(neighbour, said):
    there, depot = neighbour(saying(said))

    with pytest.raises(BrokenService, match=r"^depot.act failed: "):
        depot.act(deed="nothing")

    assert len(there.requests) == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "421 Misdirected Request"])
def test_keys_and_routes_that_are_being_changed_are_an_outage_that_has_not_run(neighbour, status):
    _, depot = neighbour(saying(problem(status, code="x", detail="Not you, not here.")))

    assert unavailable(depot).may_have_run is False


def test_a_redirect_is_not_followed(neighbour):
    elsewhere, _ = neighbour(saying(answer(b"1")))
    for status in ("301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
        _, depot = neighbour(saying(answer(b"", status=status, Location=f"{elsewhere.url}/")))
        unavailable(depot)

    assert elsewhere.requests == []


def test_an_answer_without_an_end_is_given_up(neighbour):
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (LARGEST_ANSWER + 1_000_000)
    _, depot = neighbour(saying(endless, stays=True))

    with pytest.raises(BrokenService, match="larger than"):
        depot.act(deed="nothing")


# --- Errors of a newer callee ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kinds", "kind"),
    [
        ("409 Conflict", ["shelf_gone", "shelf_full", "rejected"], ShelfFull),
        ("409 Conflict", ["box_burnt", "box_missing", "rejected"], BoxMissing),
        ("409 Conflict", ["newer", "rejected"], Rejected),
        ("409 Conflict", ["newer"], Rejected),
        ("409 Conflict", [], Rejected),
        ("409 Conflict", [1, None, {}], Rejected),
        ("503 Service Unavailable", ["newer"], Unavailable),
        ("503 Service Unavailable", ["newer", "unavailable"], Unavailable),
        ("410 Gone", ["newer"], Superseded),
    ],
)
def test_an_error_that_is_newer_than_the_caller_becomes_the_nearest_kind(neighbour, status, kinds, kind):
    said = problem(status, code="newer", detail="New.", kinds=kinds, data={"a": 1}, mayHaveRun=True, newer="field")
    _, depot = neighbour(saying(said))

    with pytest.raises(ContractError) as raised:
        depot.act(deed="nothing")

    assert type(raised.value) is kind
    assert (raised.value.detail, raised.value.data, raised.value.may_have_run) == ("New.", {"a": 1}, True)


@pytest.mark.parametrize("members", [{}, {"detail": 5, "data": [1], "mayHaveRun": "yes"}], ids=["none", "others"])
def test_an_error_whose_members_are_missing_or_of_another_type_is_still_that_error(neighbour, members):
    _, depot = neighbour(saying(problem("409 Conflict", kinds=["shelf_full"], **members)))

    with pytest.raises(ShelfFull) as raised:
        depot.act(deed="nothing")

    assert (raised.value.data, raised.value.may_have_run) == ({}, False)


def test_fields_of_an_answer_that_are_newer_than_the_caller_are_passed_over(neighbour):
    told = {"remaining": 1.0, "leaseId": None, "leaseEpoch": None, "user": None, "roles": [], "traceId": None}
    _, depot = neighbour(saying(answer(json.dumps({**told, "requestId": "r", "newer": {"x": 1}}).encode())))

    assert depot.told().request_id == "r"


def test_a_caller_that_may_not_ask_has_a_bug_and_does_not_try_again(process, remote, settings):
    depot = remote(f"http://127.0.0.1:{process.port}")
    before = depot.times(deed="put k")
    settings.HOSTED_DOMAINS = ("users",)

    with pytest.raises(BrokenService, match=r"^depot\.put failed: 403 caller_not_allowed: users may not ask depot for"):
        depot.put(key="k")

    settings.HOSTED_DOMAINS = ("orders",)
    assert depot.times(deed="put k") == before


# --- No answer ------------------------------------------------------------------------------------------------------


def test_nobody_there_is_an_outage_that_has_not_run(remote):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    error = unavailable(remote(f"http://127.0.0.1:{port}"))

    assert error.may_have_run is False
    assert error.detail.startswith("depot cannot be reached: ")


def test_a_name_that_nobody_has_is_an_outage_that_has_not_run(remote):
    assert unavailable(remote("http://nobody.invalid:80")).may_have_run is False


def test_a_neighbour_that_accepts_no_connection_is_given_up_within_the_callers_time(remote):
    """Its queue is full: packets are dropped, as on a host that is gone."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        began = time.monotonic()

        with call(seconds=0.5):
            error = unavailable(remote(f"http://127.0.0.1:{listener.getsockname()[1]}"))

        assert time.monotonic() - began < 2.0
        assert error.may_have_run is False
        for each in waiting:
            each.close()


def test_a_connection_that_is_reset_is_an_outage_that_may_have_run(neighbour):
    there, depot = neighbour(resetting)

    assert unavailable(depot).may_have_run is True
    assert len(there.requests) == 1


SLOW = {
    "silent": silent,
    "dripping": dripping(answer(b" " * 1000 + b"1"), every=0.05),
    "dripping slowly": dripping(answer(b" " * 1000 + b"1"), every=0.9),
}


@pytest.mark.parametrize("behave", SLOW.values(), ids=SLOW)
def test_an_answer_that_does_not_come_within_the_callers_time_is_an_outage_that_may_have_run(neighbour, behave):
    there, depot = neighbour(behave)
    began = time.monotonic()

    with call(seconds=1.0):
        error = unavailable(depot)

    assert 0.9 < time.monotonic() - began < 1.7
    assert error.may_have_run is True
    assert len(there.requests) == 1


def test_a_caller_without_a_deadline_waits_no_longer_than_it_says(neighbour):
    there, depot = neighbour(saying(answer(b"1"), stays=True))

    assert depot.act(deed="nothing") == 1
    with call(seconds=1000.0):
        assert depot.act(deed="nothing") == 1
    with call(seconds=2.0, lease=Lease(id=UUID(int=1), epoch=9)):
        assert depot.act(deed="nothing") == 1

    deadlines = [int(_header(request, b"Call-Deadline")) for _, request in there.requests]
    longest = MethodPolicy().seconds * 1000
    assert all(longest - 500 < deadline <= longest for deadline in deadlines[:2])
    assert 1500 < deadlines[2] < 2000
    assert _header(there.requests[2][1], b"Call-Lease") == b"00000000-0000-0000-0000-000000000001;9"


def test_a_call_takes_no_longer_than_is_allowed_for_its_callee_now(neighbour, settings, go_by):
    settings.DYNAMIC_VALUES = (*settings.DYNAMIC_VALUES, *values_of_calls("depot"))
    _, depot = neighbour(silent)
    go_by({"calls.depot.timeout": "700ms"})
    began = time.monotonic()

    error = unavailable(depot)

    assert 0.6 < time.monotonic() - began < 5.0
    assert error.may_have_run is True


def _header(request: bytes, name: bytes) -> bytes:
    return next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(name + b": "))


def test_a_callee_that_is_killed_in_the_middle_is_an_outage_that_may_have_run_and_the_next_has_not(new_process, remote):
    depot, errors = remote(f"http://127.0.0.1:{new_process.port}"), []
    assert depot.act(deed="nothing") == 1

    waiting = threading.Thread(target=lambda: errors.append(unavailable(depot, deed="wait")))
    waiting.start()
    wait_until(lambda: depot.times(deed="wait") == 1)
    new_process.kill()
    waiting.join(10)

    assert [error.may_have_run for error in errors] == [True]
    assert unavailable(depot).may_have_run is False
