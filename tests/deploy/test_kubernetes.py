"""The manifests: what Kubernetes takes, and what our processes take from them."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest

from config.environment import read
from config.roles import ROLES as STARTED
from config.supervision.telling import OWN
from config.topology import DOMAINS, Topology
from tests.deploy.rendering import (
    COMPONENT,
    GROUP,
    OVERLAYS,
    ROLES,
    hosted,
    name_of,
    of_kind,
    pods,
    rendered,
    secrets,
    selects,
    settings,
)

OLDEST, NEWEST = "1.30", "1.37"
"""A pause before the end (preStop.sleep) is known from 1.30 on."""

IN_SECRETS = {
    "mitosis": {
        "SECRET_KEY": "a",
        "SERVICE_KEY": "b",
        "BROKER_URL": "amqp://a:b@broker/mitosis",
        "CACHE_URL": "redis://c",
    },
    "mitosis-users": {"JWT_SIGNING_KEY": "c", "EMAIL_URL": "smtp://a:b@mail.example:587"},
    "mitosis-payments": {"SANDBOX_WEBHOOK_SECRET": "d"},
}
"""As docs/deploying.md has them made."""


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_what_the_schemas_of_kubernetes_say_and_nothing_more(overlay, version):
    for each in rendered(overlay):
        kubernetes_validate.validate(each, version, strict=True)


def test_a_word_that_kubernetes_does_not_know_would_be_found():
    planted = copy.deepcopy(of_kind("monolith", "Deployment")[0])
    planted["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(planted, NEWEST, strict=True)


@pytest.mark.parametrize(("overlay", "topology"), OVERLAYS.items())
def test_an_overlay_is_the_topology_that_its_name_says(overlay, topology):
    assert Topology.parse("|".join(",".join(group) for group in hosted(overlay).values())) == topology


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_group_has_a_web_server_a_worker_a_relay_and_a_migration_and_nothing_else(overlay):
    found = sorted((labels.get(GROUP, ""), labels[COMPONENT]) for _, labels, _ in pods(overlay))
    groups = hosted(overlay)
    expected = [(group, role) for group in groups for role in (*ROLES, "migrate")]
    expected += [("", "gateway")] if OVERLAYS[overlay].is_split else []
    assert found == sorted(expected)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_container_is_started_with_a_role_or_a_command_that_there_is(overlay):
    for name, labels, spec in pods(overlay):
        (container,) = spec["containers"]
        role, *more = container["args"]
        assert role == labels[COMPONENT], name
        assert role in STARTED or role == "migrate", name
        assert not more or role == "gateway", name
        waits = [each["args"] for each in spec.get("initContainers", ())]
        assert waits == ([["migrate", "--check"]] if role in ROLES else []), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_process_is_told_is_taken_by_it_and_says_where_every_other_domain_is(overlay, tmp_path):
    home = {domain: group for group, domains in hosted(overlay).items() for domain in domains}
    for name, labels, spec in pods(overlay):
        if labels[COMPONENT] not in ROLES:
            continue
        (container,) = spec["containers"]
        told = settings(overlay, container)
        for secret in secrets(container):
            told |= IN_SECRETS[secret]
        found = read({**told, "STATE_DIR": str(tmp_path)})
        group = labels[GROUP]
        assert found.hosted_domains == hosted(overlay)[group], name
        assert found.databases_known, name
        assert all(found.admin_databases[domain] is None for domain in DOMAINS), name
        assert found.services.urls == {
            domain: f"http://{home[domain]}-web:8001" for domain in DOMAINS if home[domain] != group
        }, name
        assert found.services.inside_host == f"{group}-web", name
        assert bool(found.jwt_signing_key) != bool(found.jwks_url), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_name_that_somebody_is_sent_to_is_a_service_that_selects_that_group(overlay):
    services = {name_of(each): each["spec"] for each in of_kind(overlay, "Service")}
    fronts = [labels for _, labels, _ in pods(overlay) if labels[COMPONENT] in ("web", "gateway")]
    for group in hosted(overlay):
        service = services.pop(f"{group}-web")
        assert service["clusterIP"] == "None"
        chosen = [labels for labels in fronts if selects({"matchLabels": service["selector"]}, labels)]
        assert [(labels[GROUP], labels[COMPONENT]) for labels in chosen] == [(group, "web")]
    door = services.pop("shop")
    chosen = [labels[COMPONENT] for labels in fronts if selects({"matchLabels": door["selector"]}, labels)]
    assert chosen == (["gateway"] if OVERLAYS[overlay].is_split else ["web"])
    assert services == {}


@pytest.mark.parametrize("overlay", [name for name, topology in OVERLAYS.items() if topology.is_split])
def test_the_gateway_knows_each_group_and_no_secret(overlay):
    ((_, _, spec),) = [each for each in pods(overlay) if each[1][COMPONENT] == "gateway"]
    (container,) = spec["containers"]
    expected = {
        f"--group={'+'.join(domains)}=dns:{group}-web.$(NAMESPACE).svc.cluster.local:8000"
        for group, domains in hosted(overlay).items()
    }
    assert set(container["args"][1:]) == expected
    assert secrets(container) == set()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_secret_is_told_where_its_domain_is_hosted_and_an_administrators_to_the_migration_alone(overlay):
    for name, labels, spec in pods(overlay):
        group, role = labels.get(GROUP, ""), labels[COMPONENT]
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            expected = set() if role == "gateway" else {"mitosis"}
            if role in ROLES and container["name"] == role:
                expected |= {f"mitosis-{domain}" for domain in OWN if domain in hosted(overlay)[group]}
            expected |= {f"{group}-database-admin"} if role == "migrate" else set()
            assert secrets(container) == expected, f"{name}: {container['name']}"
    assert all(set(IN_SECRETS[f"mitosis-{domain}"]) <= set(names) for domain, names in OWN.items())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_value_in_the_manifests_is_a_secret(overlay):
    words = {word for names in OWN.values() for word in names} | {"SECRET_KEY", "SERVICE_KEY", "DATABASE_URL"}
    assert of_kind(overlay, "Secret") == []
    for _, _, spec in pods(overlay):
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            told = settings(overlay, container)
            assert not words & set(told)
            # A login without a password: it follows from SECRET_KEY.
            assert not [
                value for value in told.values() if "@" in value and ":" in value.partition("@")[0].partition("//")[2]
            ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_container_has_rights_it_can_do_without(overlay):
    for name, _, spec in pods(overlay):
        whole = spec["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsUser"]) == (True, 10001), name
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        # A Service's variables could be taken for settings.
        assert spec["enableServiceLinks"] is False, name
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            rights = container["securityContext"]
            assert rights == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} == set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
            mounted = {each["mountPath"] for each in container["volumeMounts"]}
            assert mounted == {"/var/lib/mitosis", "/tmp"}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_makes_a_process_start_again_asks_nobody_but_itself(overlay):
    for name, labels, spec in pods(overlay):
        (container,) = spec["containers"]
        if labels[COMPONENT] in ("web", "gateway"):
            started = "/health/startup" if labels[COMPONENT] == "web" else "/health/live"
            assert container["startupProbe"]["httpGet"]["path"] == started, name
            assert container["livenessProbe"]["httpGet"]["path"] == "/health/live", name
            ready = "/health/ready" if labels[COMPONENT] == "web" else "/health/live"
            assert container["readinessProbe"]["httpGet"]["path"] == ready, name
        elif labels[COMPONENT] in ROLES:
            assert container["startupProbe"]["exec"]["command"][-1] == "ready", name
            assert container["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "inside"}, name
            assert "readinessProbe" not in container, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whoever_serves_is_at_least_two_and_never_taken_away_all_at_once(overlay):
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind(overlay, "HorizontalPodAutoscaler")
    }
    budgets = [each["spec"] for each in of_kind(overlay, "PodDisruptionBudget")]
    for each in of_kind(overlay, "Deployment"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        replicas = each["spec"].get("replicas") or scaled[name_of(each)]["minReplicas"]
        assert replicas >= 2, name_of(each)
        assert (labels[COMPONENT] in ("web", "worker")) == (name_of(each) in scaled)
        # Whoever is scaled is not given a number beside it: each deployment would set it back.
        assert ("replicas" in each["spec"]) != (name_of(each) in scaled), name_of(each)
        (budget,) = [found for found in budgets if selects(found["selector"], labels)]
        assert budget["maxUnavailable"] == 1
        assert each["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_changed_setting_is_a_new_name_and_so_a_rolling_update(overlay):
    for each in of_kind(overlay, "ConfigMap"):
        group = each["metadata"]["labels"][GROUP]
        assert name_of(each) != f"{group}-settings"
        assert name_of(each).startswith(f"{group}-settings-")
