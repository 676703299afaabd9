"""What is, and above all what is not, an access token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from runtime.identity import tokens
from runtime.identity.keys import BadSigningKey, signing_key, thumbprint, verifying_keys
from runtime.identity.tokens import BadToken, MayNotSign, issue, verify

USER = uuid4()


def claims(**changes: object) -> dict:
    now = int(time.time())
    good = {
        "sub": str(USER),
        "roles": ["customer"],
        "token_type": "access",
        "iss": tokens.ISSUER,
        "aud": tokens.AUDIENCE,
        "iat": now,
        "exp": now + 900,
        "jti": uuid4().hex,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(payload: dict, *, headers: dict | None = None, algorithm: str = "RS256", key: object = None) -> str:
    own = signing_key()
    return jwt.encode(payload, key or own.private, algorithm=algorithm, headers={"kid": own.kid, **(headers or {})})


def put_together(header: dict, payload: dict, signature: bytes = b"") -> str:
    """A token by hand, for what PyJWT refuses to make."""
    parts = [json.dumps(part).encode() for part in (header, payload)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def public_pem() -> bytes:
    return (
        signing_key()
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def test_what_was_issued_is_verified_and_says_the_same():
    principal = verify(issue(user_id=USER, roles=["support"]))

    assert (principal.id, principal.roles, principal.kind) == (str(USER), ("support",), "user")
    assert principal.may("orders.view_any")
    assert not principal.may("users.change_roles")


def test_a_token_made_by_hand_with_our_key_is_good_so_that_the_refusals_below_mean_something():
    assert verify(signed(claims())).id == str(USER)


def test_a_role_that_nobody_knows_allows_nothing():
    assert verify(issue(user_id=USER, roles=["emperor"])).permissions == frozenset()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("kid", [True, False])
def test_an_unsigned_token_is_refused(algorithm, kid):
    header = {"alg": algorithm, "typ": "JWT", **({"kid": signing_key().kid} if kid else {})}

    with pytest.raises(BadToken):
        verify(put_together(header, claims()))


@pytest.mark.parametrize("secret", ["pem", "der", "jwk"])
def test_the_public_key_is_no_secret_to_sign_with(secret):
    der = (
        signing_key()
        .private.public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    material = {"pem": public_pem(), "der": der, "jwk": json.dumps(verifying_keys().jwks()["keys"][0]).encode()}[secret]
    unsigned = put_together({"alg": "HS256", "typ": "JWT", "kid": signing_key().kid}, claims()).rstrip(".")
    signature = hmac.new(material, unsigned.encode(), hashlib.sha256).digest()

    with pytest.raises(BadToken):
        verify(f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_our_own_key_with_another_algorithm_is_refused(algorithm):
    with pytest.raises(BadToken):
        verify(signed(claims(), algorithm=algorithm))


def test_another_kind_of_key_is_refused():
    with pytest.raises(BadToken):
        verify(signed(claims(), algorithm="ES256", key=ec.generate_private_key(ec.SECP256R1())))


def test_a_signature_of_another_key_under_our_kid_is_refused():
    with pytest.raises(BadToken):
        verify(signed(claims(), key=rsa.generate_private_key(65537, 2048)))


def test_a_changed_claim_is_refused():
    header, _, signature = issue(user_id=USER, roles=["customer"]).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(claims(roles=["administrator"])).encode()).rstrip(b"=").decode()

    with pytest.raises(BadToken):
        verify(f"{header}.{forged}.{signature}")


def test_a_token_without_its_signature_is_refused():
    with pytest.raises(BadToken):
        verify(issue(user_id=USER, roles=[]).rpartition(".")[0] + ".")


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/dev/null", "' OR '1'='1", "", "unknown", None, 7, ["a"], {"a": 1}, "\x00"],
)
def test_a_kid_is_looked_up_and_never_followed(kid):
    """The signature is ours and good: the kid alone is what is wrong."""
    unsigned = put_together({"alg": "RS256", "typ": "JWT", "kid": kid}, claims()).rpartition(".")[0]
    signature = signing_key().private.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())

    with pytest.raises(BadToken):
        verify(f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_no_address_in_a_header_is_fetched(header, monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a key was looked for on the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    thief = rsa.generate_private_key(65537, 2048)
    address = {header: "http://127.0.0.1:9/jwks.json"}

    with pytest.raises(BadToken):
        verify(signed(claims(), key=thief, headers=address))
    with pytest.raises(BadToken):
        verify(signed(claims(), key=thief, headers={**address, "kid": "thief"}))
    assert verify(signed(claims(), headers=address)).id == str(USER)


def test_a_key_that_a_token_brings_along_is_ignored():
    thief = rsa.generate_private_key(65537, 2048)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(thief.public_key()))

    for kid in (signing_key().kid, thumbprint(thief.public_key())):
        with pytest.raises(BadToken):
            verify(signed(claims(), key=thief, headers={"jwk": own, "kid": kid}))


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "jti", "token_type", "roles"])
def test_every_claim_is_required(claim):
    with pytest.raises(BadToken):
        verify(signed(claims(**{claim: None})))


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "somebody-else"),
        ("aud", "mitosis-internal"),
        ("aud", [tokens.AUDIENCE, "mitosis-internal"]),
        ("token_type", "refresh"),
        ("token_type", "service"),
        ("sub", "1"),
        ("sub", "' OR 1=1"),
        ("sub", 7),
        ("roles", "administrator"),
        ("roles", {"administrator": True}),
        ("roles", [["administrator"]]),
        ("exp", "tomorrow"),
        ("exp", 10**30),
        ("jti", 7),
    ],
)
def test_a_claim_with_another_value_is_refused(claim, value):
    with pytest.raises(BadToken):
        verify(signed(claims(**{claim: value})))


@pytest.mark.parametrize(
    ("shift", "good"),
    [({"exp": -5}, True), ({"exp": -60}, False), ({"iat": 5}, True), ({"iat": 60}, False), ({"nbf": 60}, False)],
)
def test_times_are_kept_to_within_ten_seconds(shift, good):
    payload = claims(**{claim: int(time.time()) + seconds for claim, seconds in shift.items()})

    if good:
        assert verify(signed(payload)).id == str(USER)
    else:
        with pytest.raises(BadToken):
            verify(signed(payload))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "a" * 10000, "Bearer", "é.é.é", "{}", "a.b.c.d"])
def test_what_is_no_token_at_all_is_refused(text):
    with pytest.raises(BadToken):
        verify(text)


def test_a_deeply_nested_payload_is_refused_like_any_other():
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":' + b"[" * 5000 + b"]" * 5000 + b"}").decode()

    with pytest.raises(BadToken):
        verify(f"{header}.e30.e30")


# --- Keys -----------------------------------------------------------------------------------------------------------


def test_a_thumbprint_is_that_of_rfc_7638():
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6"
        "qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8aw"
        "apJzKnqDKgw"
    )
    number = int.from_bytes(base64.urlsafe_b64decode(n + "=="), "big")

    assert thumbprint(rsa.RSAPublicNumbers(65537, number).public_key()) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_published_keys_verify_our_tokens_and_hold_nothing_private(client):
    answer = client.get("/.well-known/jwks.json")

    assert answer.status_code == 200
    assert "max-age" in answer["Cache-Control"]
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    token = issue(user_id=USER, roles=[])
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    public = jwt.PyJWK.from_dict(key).key
    assert jwt.decode(token, public, algorithms=["RS256"], audience=tokens.AUDIENCE)["sub"] == str(USER)


def test_a_process_without_the_key_signs_nothing_and_trusts_nothing(settings):
    token = issue(user_id=USER, roles=[])
    settings.JWT_SIGNING_KEY = None

    with pytest.raises(MayNotSign):
        issue(user_id=USER, roles=[])
    with pytest.raises(BadToken):
        verify(token)


def test_a_key_that_is_too_short_or_none_at_all_stops_with_a_sentence(settings):
    short = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem, sentence in ((short.decode(), "at least 2048 bits"), ("secret", "not a private key")):
        settings.JWT_SIGNING_KEY = pem
        with pytest.raises(BadSigningKey, match=sentence):
            signing_key()
