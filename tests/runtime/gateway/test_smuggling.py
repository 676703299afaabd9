"""One request for the gateway is one request for the process behind, however its length is written."""

from __future__ import annotations

import pytest

from tests.runtime.gateway.doors import raw
from tests.together import wait_until

INNER = b"GET /internal/contracts HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What an attacker would have the process take for a request of its own."""


def request(*lines: bytes, body: bytes) -> bytes:
    return b"\r\n".join((b"POST /api/people HTTP/1.1", b"Host: localhost", *lines, b"Connection: close", b"", body))


AMBIGUOUS = {
    "CL and TE": request(
        b"Content-Length: %d" % (5 + len(INNER)), b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + INNER
    ),
    "TE and CL": request(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n"
    ),
    "two CL": request(b"Content-Length: 0", b"Content-Length: %d" % len(INNER), body=INNER),
    "two CL in one": request(b"Content-Length: 0, %d" % len(INNER), body=INNER),
    "CL with a sign": request(b"Content-Length: +%d" % len(INNER), body=INNER),
    "bare LF between headers": b"POST /api/people HTTP/1.1\nHost: localhost\nContent-Length: 0\nConnection: close\n\n"
    + INNER,
    "bare LF in a header": request(b"X: y\nContent-Length: %d" % len(INNER), body=INNER),
    "bare CR in a header": request(b"X: y\rContent-Length: %d" % len(INNER), body=INNER),
    "TE with a tab": request(b"Transfer-Encoding:\tchunked, identity", b"Content-Length: 0", body=b"0\r\n\r\n" + INNER),
    "TE by another name": request(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + INNER),
    "TE twice": request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + INNER),
    "a space before the colon": request(b"Content-Length : %d" % len(INNER), body=INNER),
    "a folded header": request(b"X: y", b" Content-Length: %d" % len(INNER), body=INNER),
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_length_that_can_be_read_in_two_ways_smuggles_nothing(door, people, parcels, data):
    answer = raw(door.port, data)

    assert [request["path"] for request in people.arrived] in ([], ["/api/people"])
    assert parcels.arrived == []
    for request in people.arrived:
        lengths = [name for name, _ in request["headers"] if name in ("content-length", "transfer-encoding")]
        assert len(lengths) <= 1
    # One answer, to the one request or to none.
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == ([b"200"] if people.arrived else [b"400"])
    wait_until(lambda: door.log and door.log[-1]["status"] == int(statuses[0]))


def test_a_chunked_body_arrives_whole(door, people):
    raw(door.port, request(b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"))

    assert people.only()["body"] == "{}"
