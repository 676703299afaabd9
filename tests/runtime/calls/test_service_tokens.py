"""Only a service with a token for this domain is let in, by the inside port; a user's token is checked."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from runtime.identity import service_tokens, tokens
from runtime.identity.keys import signing_key
from tests.runtime.calls.asking import ask, refused
from tests.runtime.calls.depot import KEPT

pytestmark = pytest.mark.usefixtures("inside")


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
def test_any_other_token_is_a_401_and_nothing_runs(token):
    before = KEPT.times(deed="count")

    assert refused(ask(token=token())) == (401, "invalid_service_token")
    assert KEPT.times(deed="count") == before


def claims_of(name: str) -> dict[str, str]:
    return {"iss": name, "sub": name}


@pytest.mark.parametrize("name", ["orders", "payments", "users+orders", "inventory+payments+users"])
def test_whoever_hosts_a_domain_that_may_ask_is_let_in(name):
    assert ask(token=forged(**claims_of(name)))[0] == 200


@pytest.mark.parametrize("name", ["users", "inventory", "users+inventory", "order", "orders,users", "ORDERS", "", "+"])
def test_a_service_that_may_not_ask_for_this_is_a_403_and_nothing_runs(name):
    before = KEPT.times(deed="count")

    answer = ask(token=forged(**claims_of(name)))

    assert refused(answer) == (403, "caller_not_allowed")
    assert answer[1]["detail"] == f"{name} may not ask depot for count."
    assert KEPT.times(deed="count") == before


def test_a_method_that_nobody_may_ask_for_is_refused_to_everybody(settings):
    settings.CALLERS = {**settings.CALLERS, "depot": {"told": frozenset({"orders"})}}

    assert refused(ask()) == (403, "caller_not_allowed")
    settings.CALLERS = {}
    assert refused(ask("depot/told", {})) == (403, "caller_not_allowed")


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "bearer", "Token {token}"])
def test_without_a_bearer_token_it_is_a_401_with_a_challenge(header):
    header = header.replace("{token}", service_tokens.issue(audience="depot"))

    answer = ask(token=None, Authorization=header)

    assert refused(answer) == (401, "invalid_service_token")
    assert answer[2]["WWW-Authenticate"] == 'Bearer realm="mitosis"'


def test_a_forgery_with_nothing_changed_is_good_so_that_the_changes_are_what_is_refused():
    assert ask(token=forged())[0] == 200
    assert ask(token=forged(**ago(5)))[0] == 200


def test_a_services_token_is_no_users(client):
    answer = client.get("/api/users/me", headers={"Authorization": f"Bearer {service_tokens.issue(audience='users')}"})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_on_the_shops_own_port_there_is_no_such_address():
    assert refused(ask(port=8000)) == (404, "not_found")
    assert refused(ask(port=8000, token=None)) == (404, "not_found")


def test_a_users_token_that_is_carried_along_is_checked_and_never_believed():
    user = uuid4()
    good = tokens.issue(user_id=user, roles=["support"])

    assert ask("depot/told", {}, Call_User=good)[1]["user"] == str(user)
    for bad in (good[:-4] + "AAAA", "x", service_tokens.issue(audience="depot"), forged(sub=str(user))):
        assert refused(ask("depot/told", {}, Call_User=bad)) == (401, "invalid_user_token")


@pytest.mark.parametrize(("seconds", "status"), [(30, 200), (90, 401)])
def test_a_users_token_may_expire_on_the_way_but_not_long_before(seconds, status):
    key = signing_key()
    assert key is not None
    made = jwt.decode(tokens.issue(user_id=uuid4(), roles=[]), options={"verify_signature": False})
    late = jwt.encode({**made, **ago(seconds)}, key.private, algorithm="RS256", headers={"kid": key.kid})

    assert ask("depot/told", {}, Call_User=late)[0] == status


def test_the_log_has_the_calling_service_and_no_token(caplog):
    caplog.set_level("INFO")

    ask()

    (line,) = [record for record in caplog.records if record.name == "runtime.http.access"]
    assert line.principal == "users+inventory+payments+orders+depot"
    assert line.route == "/internal/contracts/<str:domain>/<str:method>"
    assert "ey" + "J" not in caplog.text


# --- Used again -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    """The time of day, for tokens alone; PyJWT's own stays as it is."""

    class At:
        now = float(int(time.time()))

        def time(self) -> float:
            return self.now

    at = At()
    monkeypatch.setattr(service_tokens, "time", at)
    service_tokens._issued.clear()
    service_tokens._verified.clear()
    yield at
    service_tokens._issued.clear()
    service_tokens._verified.clear()


def test_one_token_is_used_for_three_quarters_of_its_life_and_then_a_new_one(clock):
    first = service_tokens.issue(audience="depot")

    clock.now += 44
    assert service_tokens.issue(audience="depot") == first
    clock.now += 1
    assert service_tokens.issue(audience="depot") != first


def test_a_clock_that_is_set_back_makes_a_new_one(clock):
    first = service_tokens.issue(audience="depot")
    clock.now -= 1

    assert service_tokens.issue(audience="depot") != first


def test_each_callee_name_and_key_has_a_token_of_its_own(clock, settings):
    tokens_ = [service_tokens.issue(audience="depot"), service_tokens.issue(audience="users")]
    settings.HOSTED_DOMAINS = ("orders",)
    tokens_.append(service_tokens.issue(audience="depot"))
    settings.SERVICE_KEY = "a third key that only the tests know"
    tokens_.append(service_tokens.issue(audience="depot"))

    assert len(set(tokens_)) == 4


def test_a_token_that_was_good_once_is_good_until_it_ends_and_not_after(clock):
    token = service_tokens.issue(audience="depot")
    assert service_tokens.verify(token, audience="depot").kind == "service"
    (known,) = service_tokens._verified.values()

    clock.now = known.until - 1
    assert service_tokens.verify(token, audience="depot") is known.principal
    clock.now = known.until
    # Looked at anew: PyJWT's clock says that it is young.
    assert service_tokens.verify(token, audience="depot") is not known.principal


def test_what_was_good_for_one_callee_or_with_one_key_is_not_so_for_another(clock, settings):
    token = service_tokens.issue(audience="depot")
    service_tokens.verify(token, audience="depot")

    with pytest.raises(service_tokens.BadServiceToken):
        service_tokens.verify(token, audience="users")
    settings.SERVICE_KEY = "a third key that only the tests know"
    with pytest.raises(service_tokens.BadServiceToken):
        service_tokens.verify(token, audience="depot")


def test_a_bad_token_is_never_remembered_and_good_ones_are_not_remembered_without_end(clock):
    for _ in range(3):
        with pytest.raises(service_tokens.BadServiceToken):
            service_tokens.verify("x.y.z", audience="depot")
    assert service_tokens._verified == {}

    for number in range(service_tokens._MOST_VERIFIED + 5):
        service_tokens.verify(forged(jti=str(number)), audience="depot")

    assert len(service_tokens._verified) == 5
