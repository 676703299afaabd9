"""Bodies that are not what they should be are a 4xx, whatever is in them."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from django.urls import path
from rest_framework.response import Response

from runtime.http.parser import LARGEST_BODY
from runtime.http.views import View
from runtime.identity import Anyone


class Echo(View):
    permission_classes = [Anyone]

    def post(self, request):
        return Response(request.data)


@pytest.fixture
def post(serve):
    client = serve(path("echo", Echo.as_view()))

    def send(body: bytes, content_type: str = "application/json", **extra):
        return client.generic("POST", "/echo", body, content_type=content_type, **extra)

    return send


def assert_problem(answer, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "b": [true, null, 1.5, "\xc3\xa9", "\\u00e9", "\\ud83d\\ude00"]}',
        b" {} ",
        b'{"a": {"b": {"c": []}}}',
        b'{"a": 1e308, "b": -0.0, "c": 123456789012345678901234567890}',
        b'{"": "an empty name"}',
    ],
)
def test_json_objects_come_through_as_they_are(post, body):
    answer = post(body)

    assert answer.status_code == 200
    assert answer.json() == json.loads(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b'{"a": 1,}', "malformed_json"),
        (b"{'a': 1}", "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": Infinity}', "malformed_json"),
        (b'{"a": -Infinity}', "malformed_json"),
        (b'{"a": 1e999}', "malformed_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "malformed_json"),
        (b'{"a": 1, "a": 2}', "malformed_json"),
        (b'{"x": {"a": 1, "a": 1}}', "malformed_json"),
        (b'{"a": "\x00"}', "malformed_json"),
        (b'{"a": "\n"}', "malformed_json"),
        (b'\xef\xbb\xbf{"a": 1}', "malformed_json"),
        (b'{"a": 1} {"b": 2}', "malformed_json"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
        ('{"a": 1}'.encode("utf-16"), "not_utf8"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"1", "not_an_object"),
        (b'{"a": "\\u0000"}', "unusable_text"),
        (b'{"a": "\\ud800"}', "unusable_text"),
        (b'{"a": "\\udc00\\ud800"}', "unusable_text"),
        (b'{"\\u0000": 1}', "unusable_text"),
        (b'{"a": [{"b": {"\\ud800x": 1}}]}', "unusable_text"),
        (b'{"a": ' * 65 + b"1" + b"}" * 65, "too_deep"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
        (b'{"a": ' + b"[" * 100_000, "too_deep"),
    ],
    ids=range(30),
)
def test_anything_else_is_a_400_that_says_what_is_wrong(post, body, code):
    assert_problem(post(body), 400, code)


def test_the_body_itself_is_never_in_the_answer(post):
    assert "sesame" not in post(b'{"password": "open sesame", ').content.decode()


def test_many_brackets_that_are_not_deep_are_no_fault(post):
    body = json.dumps({"items": [{"sku": "A"}] * 1000}).encode()

    assert post(body).json()["items"] == [{"sku": "A"}] * 1000


def test_the_deepest_body_that_is_taken_has_64_levels(post):
    assert post(b'{"a": ' * 63 + b"{}" + b"}" * 63).status_code == 200


@pytest.mark.parametrize("body", [b"x" * (LARGEST_BODY + 1), b'{"a": "' + b"x" * LARGEST_BODY + b'"}'])
def test_a_body_over_two_mebibytes_is_413(post, body):
    assert_problem(post(body), 413, "body_too_large")


def test_the_largest_body_that_is_taken_has_two_mebibytes(post):
    body = b'{"a": "' + b"x" * (LARGEST_BODY - 9) + b'"}'

    assert len(body) == LARGEST_BODY
    assert post(body).status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "", "99999999999999999999999"])
def test_a_content_length_that_lies_or_makes_no_sense_is_never_a_fault_of_ours(post, length):
    assert post(b'{"a": 1}', CONTENT_LENGTH=length).status_code in {200, 400, 413}


def chunked(body: bytes) -> dict:
    """What gunicorn hands on for a chunked body: no length, and a stream that ends by itself."""
    ends = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
    return {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", **ends}


def test_a_chunked_body_is_read(post):
    assert post(b"", **chunked(b'{"a": 1}')).json() == {"a": 1}


def test_a_chunked_body_is_counted_as_it_comes(post):
    body = b'{"a": "' + b"x" * LARGEST_BODY + b'"}'

    assert_problem(post(b"", **chunked(body)), 413, "body_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "x",
        "*/*",
    ],
)
def test_another_media_type_is_415_and_says_what_is_taken(post, content_type):
    answer = post(b'{"a": 1}', content_type)

    if content_type == "*/*":  # DRF matches either way round
        assert answer.status_code in {200, 415}
        return
    assert_problem(answer, 415, "unsupported_media_type")
    assert answer["Accept"] == "application/json"


def test_a_charset_beside_the_media_type_is_no_matter(post):
    assert post(b'{"a": 1}', "application/json; charset=utf-8").status_code == 200
