"""Every setting is checked where it is read: a bad one stops the start with a sentence that names it and its value."""

from __future__ import annotations

import json
import os

import pytest

from config.environment import DOMAINS, BadSetting, Environment, read
from runtime.databases.urls import role_password
from runtime.embedded.process import started_at

KNOWN = {"SECRET_KEY": "a secret", "SERVICE_KEY": "another secret"}


@pytest.fixture
def settings_of(tmp_path):
    def settings_of(**environ: str) -> Environment:
        return read({**KNOWN, "STATE_DIR": str(tmp_path), **environ})

    return settings_of


BAD = [
    ("DEBUG", "maybe", "say 1 or 0"),
    ("PUBLISH_ALL", "2", "say 1 or 0"),
    ("DOMAINS", "users,shipping", "'shipping' is none of users, inventory, payments, orders"),
    ("DOMAINS", ",", "it names some of users, inventory, payments, orders"),
    ("PAYMENT_PROVIDER", "paypal", "it is one of sandbox, stripe"),
    ("LOG_FORMAT", "xml", "it is one of console, json"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "it is an http or https address, as in http://collector:4318"),
    *[
        ("TRACES_SAMPLE", value, "it is a number from 0 to 1, as in 0.1")
        for value in ("10%", "-1", "1.1", "2", ".5", "NaN")
    ],
    *[
        ("TRACES_URL", value, "it is an address with {trace_id} in it, as in http://jaeger/trace/{trace_id}")
        for value in ("http://jaeger/trace/", "javascript:{trace_id}")
    ],
    ("SHOP_CURRENCY", "gbp", "it is three capital letters, as in GBP"),
    ("SHOP_CURRENCY", "", "it is three capital letters, as in GBP"),
    ("SHOP_CURRENCY", "POUNDS", "it is three capital letters, as in GBP"),
    *[
        (name, value, "it is a number with ms, s, m, h or d, as in 3s")
        for name in ("ORDER_BUDGET", "PROVIDER_TIMEOUT")
        for value in ("3", "", "-3s", "3 s", "3w", "NaNs", "three")
    ],
    *[("WEB_THREADS", value, "it is a whole number from 1") for value in ("0", "-1", "1.5", "", "many", "9" * 5000)],
    ("INSIDE_PORT", "70000", "it is a whole number up to 65535"),
    ("INSIDE_PORT", "x", "it is a whole number up to 65535"),
    *[
        (name, value, "write count/time, as in 100/15m, or off")
        for name in ("RATE_LIMIT_ANONYMOUS", "RATE_LIMIT_USER")
        for value in ("", "often", "100", "0/15m")
    ],
    ("TRUSTED_PROXIES", "10.0.0.0/8,the-proxy", "'the-proxy' is no address and no network, as in 10.0.0.0/8"),
    ("TRUSTED_PROXIES", "10.0.0.0/99", "'10.0.0.0/99' is no address and no network, as in 10.0.0.0/8"),
    ("PUBLIC_URL", "shop.example", "it is an http or https address, as in https://shop.example"),
    ("JWKS_URL", "users:8001", "it is an http or https address, as in https://shop.example/.well-known/jwks.json"),
    (
        "JWKS_URL",
        "http://a:secret@users/jwks",
        "it is an http or https address, as in https://shop.example/.well-known/jwks.json",
    ),
    ("TOPOLOGY", "users|orders", "inventory and payments are in no group: each domain is hosted by one"),
    (
        "TOPOLOGY",
        "users,users|inventory|payments|orders",
        "users stands in it twice: each domain is hosted by one group",
    ),
    ("DISCOVERY", "etcd", "it is one of static, dns, consul"),
    *[
        (
            "PAYMENTS_URL",
            value,
            "it is the http or https address of an inside port and no path, as in http://10.0.0.7:8001",
        )
        for value in (
            "payments:8001",
            "ftp://payments",
            "http://",
            "http://payments:0",
            "http://payments:70000",
            "http://payments:port",
            "http://payments/internal",
            "http://payments?a=b",
            "http://pay ments",
            "http://payments\n",
        )
    ],
    ("EMAIL_FROM", "nobody", "it is an e-mail address, as in Shop <orders@shop.example>"),
]


@pytest.mark.parametrize(("name", "value", "wanted"), BAD, ids=[f"{b[0]}={b[1][:20]}" for b in BAD])
def test_a_bad_value_is_named_with_what_is_wanted_instead(settings_of, name, value, wanted):
    with pytest.raises(BadSetting) as refused:
        settings_of(**{name: value})

    assert str(refused.value) == f"{name}={value!r} cannot be used: {wanted}."


@pytest.mark.parametrize("name", ["DATABASE_URL", "ORDERS_DATABASE_URL", "BROKER_URL", "CACHE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:sesame@host/shop",
        "postgresql://user:sesame@host",
        "postgresql://user:sesame@host:port/shop",
        "postgresql://user:sesame@[::1/shop",
        "sesame",
    ],
)
def test_a_bad_address_of_a_server_is_named_and_no_password_is_repeated(settings_of, name, url):
    with pytest.raises(BadSetting, match=f"^{name}='…' cannot be used: ") as refused:
        settings_of(**{name: url})

    assert "user" not in str(refused.value).replace("//user:password@", "")
    assert url == "sesame" or "sesame" not in str(refused.value)


def test_a_deployment_with_its_own_database_has_to_bring_its_secret(tmp_path):
    environ = {"STATE_DIR": str(tmp_path), "DATABASE_URL": "postgresql://u:p@h/shop", "SERVICE_KEY": "k"}

    with pytest.raises(BadSetting, match=r"^SECRET_KEY='' cannot be used: a deployment with its own database"):
        read(environ)

    assert list(tmp_path.iterdir()) == []


def test_without_any_setting_secrets_are_made_once_and_nothing_is_insecure(tmp_path):
    first, again = read({"STATE_DIR": str(tmp_path)}), read({"STATE_DIR": str(tmp_path)})

    assert first == again
    assert len(first.secret_key) >= 32
    assert first.secret_key != first.service_key != first.webhook_secret
    assert (first.debug, first.publish_all) == (False, False)
    assert first.hosted_domains == DOMAINS
    assert (first.databases_known, first.broker_url, first.cache_url) == (False, None, None)


def test_one_administrators_url_gives_every_domain_its_two_roles(settings_of):
    found = settings_of(DATABASE_URL="postgresql://admin:secret@db:5433/shop")

    for domain in DOMAINS:
        for role, url in ((domain, found.databases[domain]), (f"{domain}_owner", found.owner_databases[domain])):
            assert url == f"postgresql://{role}:{role_password(role, 'a secret')}@db:5433/shop"
        assert found.admin_databases[domain] == "postgresql://admin:secret@db:5433/shop"
    assert found.databases_known


def test_a_domains_own_url_as_its_own_role_is_taken_as_it_is_and_administers_nothing(settings_of):
    own = "postgresql://orders:chosen@elsewhere/orders"

    found = settings_of(ORDERS_DATABASE_URL=own)

    assert (found.databases["orders"], found.admin_databases["orders"]) == (own, None)
    assert found.databases["users"] is None
    assert not found.databases_known


def test_a_domains_own_login_without_a_password_has_the_one_that_follows_from_the_secret(settings_of):
    found = settings_of(ORDERS_DATABASE_URL="postgresql://orders@elsewhere:5433/orders")

    password = role_password("orders", found.secret_key)
    assert found.databases["orders"] == f"postgresql://orders:{password}@elsewhere:5433/orders"
    assert found.admin_databases["orders"] is None


def test_only_the_databases_of_what_is_hosted_have_to_be_known(settings_of):
    found = settings_of(ORDERS_DATABASE_URL="postgresql://orders:x@elsewhere/orders", DOMAINS="orders")

    assert (found.hosted_domains, found.databases_known) == (("orders",), True)


def test_what_is_not_set_comes_from_what_runs_and_what_is_set_wins(settings_of, tmp_path):
    urls = {domain: f"postgresql://{domain}:x@127.0.0.1/shop" for domain in DOMAINS}
    mine = {"pid": os.getpid(), "started": started_at(os.getpid())}
    run = {"http": "http://127.0.0.1:8123", "databases": urls, "broker": "redis://b", "cache": "redis://c"}
    (tmp_path / "run.json").write_text(json.dumps({**run, "supervisor": mine}))

    found = settings_of(CACHE_URL="redis://mine")

    assert dict(found.databases) == urls
    assert (found.broker_url, found.cache_url) == ("redis://b", "redis://mine")
    assert found.webhook_url == "http://127.0.0.1:8123/api/payments/webhooks/sandbox"


def test_durations_and_flags_are_read_in_every_unit_and_spelling(settings_of):
    budgets = {"250ms": 0.25, "3s": 3.0, "1.5m": 90.0, "1h": 3600.0}

    assert [settings_of(ORDER_BUDGET=text).order_budget for text in budgets] == list(budgets.values())
    assert [settings_of(DEBUG=text).debug for text in ("1", "true", "YES", "0", "no", "")] == [True] * 3 + [False] * 3
    assert settings_of(DOMAINS=" orders , users ").hosted_domains == ("users", "orders")


STRIPE = {
    "PAYMENT_PROVIDER": "stripe",
    "STRIPE_API_KEY": "sk_test_abc123",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
}
A_KEY = "with PAYMENT_PROVIDER=stripe it is a secret key of Stripe's, as in sk_test_ and letters"
A_SECRET = "with PAYMENT_PROVIDER=stripe it is one signing secret of Stripe's, or two with a comma, as in whsec_…"
AN_ADDRESS = "it is an https address without a path, or an http one on this machine, as in https://api.stripe.com"


def test_stripe_is_configured_by_three_variables_and_its_secrets_are_not_shown(settings_of):
    two = "whsec_0123456789abcdef, whsec_fedcba9876543210"

    found = settings_of(**{**STRIPE, "STRIPE_WEBHOOK_SECRET": two}).stripe

    assert (found.secret_key, found.api_base) == ("sk_test_abc123", "https://api.stripe.com")
    assert found.webhook_secrets == ("whsec_0123456789abcdef", "whsec_fedcba9876543210")
    assert "abc" not in repr(found)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:1", "https://stripe.example/"])
def test_stripe_may_answer_elsewhere_over_https_or_on_this_machine(settings_of, base):
    assert settings_of(**STRIPE, STRIPE_API_BASE=base).stripe.api_base == base.rstrip("/")


@pytest.mark.parametrize(
    ("name", "value", "shown", "wanted"),
    [
        *[("STRIPE_API_KEY", value, "…" if value else "", A_KEY) for value in ("", "pk_test_abc", "sk_test_", "x")],
        *[
            ("STRIPE_WEBHOOK_SECRET", value, "…" if value else "", A_SECRET)
            for value in (
                "",
                ",",
                "whsec_",
                "whsec_0123456789abcdef,",
                "secret",
                ",".join(["whsec_0123456789abcdef"] * 3),
            )
        ],
        *[
            ("STRIPE_API_BASE", value, value, AN_ADDRESS)
            for value in ("http://stripe.example", "stripe.example", "https://stripe.example/v1", "https://a@b")
        ],
        ("SHOP_CURRENCY", "JPY", "JPY", "Stripe does not count it in hundredths, as all prices here are"),
    ],
)
def test_a_bad_setting_for_stripe_stops_the_start_and_shows_no_secret(settings_of, name, value, shown, wanted):
    with pytest.raises(BadSetting) as refused:
        settings_of(**{**STRIPE, name: value})

    assert str(refused.value) == f"{name}={shown!r} cannot be used: {wanted}."


def test_where_stripe_is_not_in_use_nobody_asks_for_its_secrets(settings_of):
    for environ in ({"STRIPE_API_KEY": "x"}, {"PAYMENT_PROVIDER": "stripe", "DOMAINS": "users"}):
        assert settings_of(**environ).stripe.webhook_secrets == ()


def test_where_another_process_answers_is_an_address_for_each_domain(settings_of):
    found = settings_of(
        DOMAINS="orders",
        USERS_URL="http://10.0.0.7:8001/",
        INVENTORY_URL="https://stock.internal",
        PAYMENTS_URL="http://[::1]:9",
    )

    assert found.services.urls == {
        "users": "http://10.0.0.7:8001",
        "inventory": "https://stock.internal",
        "payments": "http://[::1]:9",
    }
    assert settings_of().services.urls == {}


def test_a_password_in_the_address_of_a_service_is_refused_and_not_repeated(settings_of):
    with pytest.raises(BadSetting, match=r"^USERS_URL='…' cannot be used: ") as refused:
        settings_of(USERS_URL="http://user:sesame@10.0.0.7:8001")

    assert "sesame" not in str(refused.value)


def test_the_sandbox_tells_the_shops_door_of_payments_and_not_the_inside_port(settings_of):
    found = settings_of(PAYMENTS_URL="http://10.0.0.7:8001", PORT="9000")

    assert found.webhook_url == "http://127.0.0.1:9000/api/payments/webhooks/sandbox"


def running(folder, **more):
    """run.json of a set that is alive."""
    mine = {"pid": os.getpid(), "started": started_at(os.getpid())}
    urls = {domain: f"postgresql://{domain}:x@127.0.0.1/shop" for domain in DOMAINS}
    groups = {
        "users+inventory": {"domains": ["users", "inventory"], "http": "http://h:1", "inside": "http://h:2"},
        "payments+orders": {"domains": ["payments", "orders"], "http": "http://h:3", "inside": "http://h:4"},
    }
    run = {"http": "http://h:8", "databases": urls, "broker": "redis://b", "cache": "redis://c", "groups": groups}
    (folder / "run.json").write_text(
        json.dumps({**run, "topology": "users+inventory|payments+orders", "supervisor": mine})
    )
    return urls


def test_a_command_knows_the_topology_that_runs_and_asks_whom_it_does_not_host(settings_of, tmp_path):
    running(tmp_path)

    found, alone = settings_of(), settings_of(DOMAINS="orders", USERS_URL="http://elsewhere:1")

    assert found.topology.name == "users+inventory|payments+orders"
    assert found.hosted_domains == DOMAINS
    assert alone.services.urls == {
        "users": "http://elsewhere:1",
        "inventory": "http://h:2",
        "payments": "http://h:4",
        "orders": "http://h:4",
    }
    assert settings_of(TOPOLOGY="orders|users,inventory,payments").topology.name == "users+inventory+payments|orders"


def test_a_supervised_process_takes_nothing_from_where_everybodys_secrets_stand(settings_of, tmp_path):
    running(tmp_path)
    own = "postgresql://orders:mine@127.0.0.1/orders"

    found = settings_of(DOMAINS="orders", ORDERS_DATABASE_URL=own, MITOSIS_SUPERVISED=str(tmp_path))

    assert found.databases == {"users": None, "inventory": None, "payments": None, "orders": own}
    assert (found.broker_url, found.services.urls, found.jwt_signing_key) == (None, {}, None)
    assert not (tmp_path / "secrets.json").exists()


def test_without_a_topology_what_is_hosted_is_one_group_and_one_process_is_given_no_topology(settings_of):
    assert settings_of().topology.groups == (DOMAINS,)
    assert settings_of(DOMAINS="orders,users").topology.groups == (("users", "orders"),)
    with pytest.raises(BadSetting, match="DOMAINS says what one process hosts: set one of the two"):
        settings_of(DOMAINS="orders", TOPOLOGY="orders|users,inventory,payments")


def test_one_trace_in_ten_goes_to_a_collector_and_without_one_each_is_kept(settings_of):
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}

    def found(**environ):
        settings = settings_of(**environ)
        return settings.traces_endpoint, settings.traces_sample

    assert found() == (None, 1.0)
    assert found(**collector) == ("http://collector:4318/v1/traces", 0.1)
    assert found(**collector, TRACES_SAMPLE="0.25") == ("http://collector:4318/v1/traces", 0.25)
    assert found(TRACES_SAMPLE="0") == (None, 0.0)
