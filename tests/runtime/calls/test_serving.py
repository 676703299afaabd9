"""Only a service with a token for this domain may ask, by the inside port, for what the contract names."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from django.test import Client

from runtime.identity import service_tokens, tokens
from runtime.identity.keys import signing_key
from tests.runtime.calls.depot import KEPT

PORT = 8001
JSON = "application/json"


@pytest.fixture
def ask(hosting, settings):
    settings.INSIDE_PORT = PORT
    client = Client(SERVER_PORT=str(PORT))

    def ask(
        address: str = "depot/count",
        body: Any = b'{"shelf": "four"}',
        *,
        token: str | None = "",
        method: str = "POST",
        content_type: str = JSON,
        port: int = PORT,
        **headers: str,
    ) -> tuple[int, Any, Any]:
        given = service_tokens.issue(audience="depot") if token == "" else token
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if given is not None:
            sent.setdefault("Authorization", f"Bearer {given}")
        answer = client.generic(
            method,
            f"/internal/contracts/{address}",
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            content_type=content_type,
            headers=sent,
            SERVER_PORT=str(port),
        )
        return answer.status_code, json.loads(answer.content or b"null"), answer

    return ask


def refused(answer: tuple[int, Any, Any]) -> tuple[int, str]:
    status, problem, response = answer
    assert response["Content-Type"] == "application/problem+json"
    return status, problem["code"]


def test_a_call_is_answered_so_that_the_refusals_below_mean_something(ask):
    status, value, response = ask()

    assert (status, value, response["Content-Type"]) == (200, 4, JSON)
    assert response["Cache-Control"] == "no-store"


# --- Who ------------------------------------------------------------------------------------------------------------


def forged(**changed: Any) -> str:
    """A service's token with other claims, or with another key, algorithm or type."""
    now = int(time.time())
    key, algorithm = changed.pop("key", service_tokens._key()), changed.pop("alg", "HS256")
    typ = changed.pop("typ", service_tokens.TYPE)
    claims = {"iss": "orders", "sub": "orders", "aud": "depot", "iat": now, "exp": now + 60, "jti": "1", **changed}
    claims = {name: value for name, value in claims.items() if value is not None}
    # Not jwt.encode, which refuses to write some of what we have to refuse to read.
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm, headers={"typ": typ})


def ago(seconds: int) -> dict[str, int]:
    now = int(time.time())
    return {"iat": now - seconds - 60, "exp": now - seconds}


def rsa() -> Any:
    key = signing_key()
    assert key is not None
    return key.private


FORGERIES = {
    "a user's": lambda: tokens.issue(user_id=uuid4(), roles=["administrator"]),
    "another domain's": lambda: service_tokens.issue(audience="payments"),
    "several domains'": lambda: forged(aud=["depot", "payments"]),
    "everybody's": lambda: forged(aud=None),
    "expired": lambda: forged(**ago(11)),
    "not yet made": lambda: forged(iat=int(time.time()) + 30, exp=int(time.time()) + 90),
    "long lived": lambda: forged(exp=int(time.time()) + 3600),
    "unsigned": lambda: forged(alg="none", key=None),
    "signed with another key": lambda: forged(key=b"another key of more than 32 bytes"),
    "signed with the service key itself": lambda: forged(key="another key that only the tests know".ljust(32)),
    "another algorithm": lambda: forged(alg="HS512"),
    "signed by users": lambda: forged(alg="RS256", key=rsa()),
    "of another type": lambda: forged(typ="JWT"),
    "without a type": lambda: forged(typ=None),
    "on another's behalf": lambda: forged(sub="users"),
    "with a name that is a number": lambda: forged(sub=5, iss=5),
    "a refresh token": lambda: forged(typ="refresh"),
    **{f"without {claim}": (lambda claim=claim: forged(**{claim: None})) for claim in service_tokens._REQUIRED},
    "no token": lambda: "x.y.z",
    "not ASCII": lambda: "tökén",
    "deep": lambda: "e30." + "W1tb" * 5000 + ".x",
    "empty": lambda: " ",
}


@pytest.mark.filterwarnings("ignore:The HMAC key is:jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES)
def test_any_other_token_is_a_401_and_nothing_runs(ask, token):
    before = KEPT.times(deed="count")

    assert refused(ask(token=token())) == (401, "invalid_service_token")
    assert KEPT.times(deed="count") == before


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "bearer", "Token {token}"])
def test_without_a_bearer_token_it_is_a_401_with_a_challenge(ask, header):
    header = header.replace("{token}", service_tokens.issue(audience="depot"))

    answer = ask(token=None, Authorization=header)

    assert refused(answer) == (401, "invalid_service_token")
    assert answer[2]["WWW-Authenticate"] == 'Bearer realm="mitosis"'


def test_a_forgery_with_nothing_changed_is_good_so_that_the_changes_are_what_is_refused(ask):
    assert ask(token=forged())[0] == 200
    assert ask(token=forged(**ago(5)))[0] == 200


def test_a_services_token_is_no_users(client):
    answer = client.get("/api/users/me", headers={"Authorization": f"Bearer {service_tokens.issue(audience='users')}"})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_on_the_shops_own_port_there_is_no_such_address(ask):
    assert refused(ask(port=8000)) == (404, "not_found")
    assert refused(ask(port=8000, token=None)) == (404, "not_found")


def test_a_users_token_that_is_carried_along_is_checked_and_never_believed(ask):
    user = uuid4()
    good = tokens.issue(user_id=user, roles=["support"])

    assert ask("depot/told", {}, Call_User=good)[1]["user"] == str(user)
    for bad in (good[:-4] + "AAAA", "x", service_tokens.issue(audience="depot"), forged(sub=str(user))):
        assert refused(ask("depot/told", {}, Call_User=bad)) == (401, "invalid_user_token")


@pytest.mark.parametrize(("seconds", "status"), [(30, 200), (90, 401)])
def test_a_users_token_may_expire_on_the_way_but_not_long_before(ask, seconds, status):
    key = signing_key()
    assert key is not None
    made = jwt.decode(tokens.issue(user_id=uuid4(), roles=[]), options={"verify_signature": False})
    late = jwt.encode({**made, **ago(seconds)}, key.private, algorithm="RS256", headers={"kid": key.kid})

    assert ask("depot/told", {}, Call_User=late)[0] == status


def test_the_log_has_the_calling_service_and_no_token(ask, caplog):
    caplog.set_level("INFO")

    ask()

    (line,) = [record for record in caplog.records if record.name == "runtime.http.access"]
    assert line.principal == "users+inventory+payments+orders+depot"
    assert line.route == "/internal/contracts/<str:domain>/<str:method>"
    assert "ey" + "J" not in caplog.text


# --- What -----------------------------------------------------------------------------------------------------------


def test_a_domain_that_is_not_hosted_here_is_misdirected(ask):
    for domain in ("shed", "depot%00", "..", "DEPOT"):
        answer = ask(f"{domain}/count", token=service_tokens.issue(audience=domain))
        assert answer[0] in (400, 404, 421)
        assert answer[0] == 421 or domain not in ("shed", "DEPOT")


@pytest.mark.parametrize("name", ["_private", "__init__", "not_in_the_contract", "given", "Count", "count "])
def test_only_the_contracts_methods_are_there(ask, name):
    assert refused(ask(f"depot/{name}")) == (404, "unknown_method")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_only_a_post_is_a_call(ask, method):
    before = KEPT.times(deed="count")
    response = ask(method=method)[2]

    assert response.status_code == 405
    assert KEPT.times(deed="count") == before


# --- With what ------------------------------------------------------------------------------------------------------

MALFORMED = {
    "not JSON": (b"{", 400, "malformed_json"),
    "nothing": (b" ", 400, "malformed_json"),
    "not UTF-8": (b'{"shelf": "\xff"}', 400, "not_utf8"),
    "a list": (b"[]", 400, "not_an_object"),
    "null": (b"null", 400, "not_an_object"),
    "NaN": (b'{"shelf": NaN}', 400, "malformed_json"),
    "a name twice": (b'{"shelf": "a", "shelf": "b"}', 400, "malformed_json"),
    "NUL": (b'{"shelf": "\\u0000"}', 400, "unusable_text"),
    "half a pair": (b'{"shelf": "\\ud800"}', 400, "unusable_text"),
    "deep": (b'{"shelf": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "too_deep"),
    "large": (b'{"shelf": "' + b"x" * 2_100_000 + b'"}', 413, "body_too_large"),
    "a number too long": (b'{"shelf": "a", "floor": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "unknown": (b'{"shelf": "a", "ceiling": 1}', 400, "unknown_argument"),
    "missing": (b'{"floor": 1}', 400, "missing_argument"),
    "another type": (b'{"shelf": 5}', 400, "invalid_argument"),
    "null for a number": (b'{"shelf": "a", "floor": null}', 400, "invalid_argument"),
    "a fraction": (b'{"shelf": "a", "floor": 1.5}', 400, "invalid_argument"),
    "self": (b'{"shelf": "a", "self": 1}', 400, "unknown_argument"),
}


@pytest.mark.parametrize(("body", "status", "code"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_arguments_are_refused_and_nothing_runs(ask, body, status, code):
    before = KEPT.times(deed="count")

    assert refused(ask(body=body)) == (status, code)
    assert KEPT.times(deed="count") == before


def test_a_newer_callers_argument_is_refused_with_a_sentence_that_names_it(ask):
    _, problem, _ = ask(body={"shelf": "a", "ceiling": 1})

    assert problem["detail"] == "ceiling: count has no parameter of this name here."
    assert problem["errors"] == [
        {"pointer": "/ceiling", "code": "unknown_argument", "detail": "count has no parameter of this name here."}
    ]


def test_a_value_that_its_class_refuses_is_a_400(ask):
    box = {
        "id": str(UUID(int=1)),
        "price": {"amount": "1.00", "currency": "pounds"},
        "packedAt": "2026-11-23T12:00:00Z",
    }

    assert refused(ask("depot/pack", {"box": box, "labels": []})) == (400, "invalid_argument")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_a_415(ask, content_type):
    assert refused(ask(content_type=content_type)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        *[("Call_Deadline", value, "bad_deadline") for value in ("", "-1", "1.5", "soon", "9" * 20, "١٢", "1s")],
        *[
            ("Call_Lease", value, "bad_lease")
            for value in ("", "x", str(UUID(int=1)), f"{UUID(int=1)};", f"{UUID(int=1)};-1", f"{UUID(int=1)};1;2", ";1")
        ],
    ],
)
def test_headers_that_cannot_be_read_are_refused_and_nothing_runs(ask, header, value, code):
    before = KEPT.times(deed="count")

    assert refused(ask(**{header: value})) == (400, code)
    assert KEPT.times(deed="count") == before


def test_a_call_that_comes_too_late_does_not_run(ask):
    before = KEPT.times(deed="count")

    status, problem, _ = ask(Call_Deadline="0")

    assert (status, problem["code"], problem["mayHaveRun"]) == (504, "deadline_exceeded", False)
    assert KEPT.times(deed="count") == before


# --- What comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "status", "kinds", "ran"),
    [
        ("full", 409, ["shelf_full", "rejected"], False),
        ("bent", 409, ["shelf_bent", "shelf_full", "rejected"], False),
        ("unavailable", 503, ["unavailable"], True),
        ("late", 504, ["deadline_exceeded", "unavailable"], False),
        ("superseded", 410, ["superseded"], False),
    ],
)
def test_a_contracts_error_is_a_problem_with_its_kinds_the_nearest_first(ask, deed, status, kinds, ran):
    found, problem, _ = ask("depot/act", {"deed": deed})

    assert (found, problem["status"], problem["kinds"], problem["mayHaveRun"]) == (status, status, kinds, ran)
    assert problem["code"] == kinds[0]


def test_a_bug_is_a_500_that_names_its_kind_and_keeps_its_words_for_the_log(ask, caplog):
    answer = ask("depot/act", {"deed": "bug"})

    assert refused(answer) == (500, "internal_error")
    assert answer[1]["detail"] == "ZeroDivisionError; its log says more."
    assert b"a secret" not in answer[2].content
    assert "a secret" in caplog.text
