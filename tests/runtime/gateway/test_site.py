"""A description that no gateway can be made of is refused with a sentence that names the value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from runtime.gateway import site as described
from runtime.gateway.site import BadSite, DnsName, Group, Limits, Route, Server, Session, Tokens
from runtime.http.counters import Limit
from tests.runtime.gateway.doors import site_of

HERE = Server(host="127.0.0.1", port=9001)
GROUPS = (Group(domains=("people", "things"), servers=(HERE,)), Group(domains=("parcels",), servers=(HERE,)))


@pytest.fixture
def good(keys, tmp_path):
    return site_of(tmp_path, GROUPS, keys)


def test_the_example_in_the_docstring_is_one(keys):
    """All but its key, which is cut short there."""
    lines = (described.__doc__ or "").splitlines()
    example = "\n".join(line[4:] for line in lines if line.startswith("    "))
    names: dict[str, Any] = {name: getattr(described, name) for name in described.__all__}
    ((kid, pem),) = keys.items()
    cut = '{"the-kid": "-----BEGIN PUBLIC KEY-----..."}'
    assert cut in example
    made = eval(example.replace(cut, "KEYS"), {**names, "KEYS": {kid: pem}, "Limit": Limit, "Path": Path})

    assert [group.name for group in made.groups] == ["users+inventory", "orders"]
    assert made.group_of("inventory") is made.groups[0]


def test_a_description_cannot_be_changed(good):
    with pytest.raises(FrozenInstanceError):
        good.bind = "*:80"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bind": "8000"}, "bind='8000' is neither host:port nor fd@number"),
        ({"bind": "*:8000\n    stats enable"}, "bind="),
        ({"bind": "*:70000"}, "port=70000 is not between 1 and 65535"),
        ({"metrics": "everywhere"}, "bind='everywhere'"),
        ({"groups": ()}, "there are no groups"),
        ({"groups": (*GROUPS, Group(domains=("things",), servers=(HERE,)))}, "the domain things is in 2 groups"),
        (
            {"routes": (Route(path="/api/a", domain="nobody"),)},
            "the route /api/a leads to 'nobody', which nobody hosts",
        ),
        (
            {"routes": (Route(path="/a", domain="people"), Route(path="/a", domain="parcels"))},
            "the path /a has 2 routes",
        ),
        ({"keys": {"../../etc/passwd": "x"}}, "kid='../../etc/passwd' is not made of"),
        ({"keys": {"a": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}}, "the key a is not an RSA"),
        ({"trusted_proxies": ("10.0.0.0/99",)}, "trusted_proxies='10.0.0.0/99' is no address and no network"),
        ({"nameservers": ("resolver",)}, "nameserver='resolver' is not host:port"),
        ({"answer_within": 0}, "answer_within=0 is not between 1 and 3600"),
    ],
)
def test_a_site_that_cannot_be_is_refused(good, changes, sentence):
    with pytest.raises(BadSite) as refused:
        replace(good, **changes)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Server(host="a b", port=1), "host='a b' is no host name"),
        (lambda: Server(host="a", port=0), "port=0 is not between"),
        (lambda: DnsName(name="a\nb", port=1), r"name='a\nb' is no host name"),
        (lambda: DnsName(name="a", port=1, at_most=0), "at_most=0 is not between 1 and 256"),
        (lambda: Group(domains=(), servers=(HERE,)), "a group has no domains"),
        (lambda: Group(domains=("a+b",), servers=(HERE,)), "domain='a+b' is not made of"),
        (lambda: Group(domains=("a",), servers=()), "the group a has no servers"),
        (lambda: Route(path="/", domain="a"), "path='/' does not begin with /, ends with one"),
        (lambda: Route(path="/a/", domain="a"), "path='/a/' does not begin"),
        (lambda: Route(path="a", domain="a"), "path='a' does not begin"),
        (lambda: Route(path="/a b", domain="a"), "path='/a b' does not begin"),
        (lambda: Tokens(issuer="a'b", audience="c"), '"a\'b" is not made of'),
        (lambda: Limits(exempt=("/a }",)), "path='/a }' does not begin"),
        (lambda: Limits(uncounted_roles=("a|b",)), "role='a|b' is not made of"),
        (lambda: Session(path="/admin", cookie="a b"), "cookie='a b' is not made of"),
    ],
)
def test_a_part_that_cannot_be_is_refused(make, sentence):
    with pytest.raises(BadSite) as refused:
        make()
    assert str(refused.value).startswith(sentence)
