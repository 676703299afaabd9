"""compose.yaml: what Compose takes, and what our processes take from it."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from config.environment import read
from config.roles import ROLES as STARTED
from config.supervision.telling import OWN
from config.topology import DOMAINS, Topology
from tests.deploy.composing import VARIABLE, make_secrets, ours, read_services
from tests.deploy.rendering import PROJECT, ROLES, program


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return make_secrets()


@pytest.fixture(scope="module")
def services(secrets) -> dict[str, Any]:
    return read_services(secrets)


@pytest.fixture(scope="module", name="ours")
def our_services(services) -> dict[str, Any]:
    return ours(services)


def test_it_is_what_the_schema_of_compose_says():
    words = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(PROJECT / "compose.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_names_what_is_made_and_holds_no_secret(secrets):
    example = (PROJECT / "deploy/compose/example.env").read_text()
    named = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"[A-Z]", line))
    assert set(named) == set(secrets)
    assert {name for name, value in named.items() if value} == {"OPERATOR_EMAIL"}
    optional = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    used = {found[1] for found in VARIABLE.finditer((PROJECT / "compose.yaml").read_text())}
    # The image's tag is the build's, and the currency is chosen once and for all.
    assert used - set(named) - {"VERSION", "SHOP_CURRENCY"} == optional


def test_without_a_secret_it_does_not_start(secrets):
    rules: dict[str, set[str]] = {}
    for found in VARIABLE.finditer((PROJECT / "compose.yaml").read_text()):
        rules.setdefault(found[1], set()).add(found[2])
    assert {name for name, kinds in rules.items() if ":?" in kinds} == set(secrets) - {"OPERATOR_EMAIL"}
    assert all(len(kinds) == 1 for kinds in rules.values())


def test_each_group_has_its_roles_and_each_domain_one_group(ours):
    groups = {
        name.removesuffix("-web"): each["environment"]["DOMAINS"] for name, each in ours.items() if "-web" in name
    }
    assert Topology.parse("|".join(groups.values())) == Topology.parse("users,inventory,orders|payments")
    expected = {f"{group}-{role}" for group in groups for role in (*ROLES, "migrate")}
    assert set(ours) == expected | {"shop-seed", "gateway"}
    for name, each in ours.items():
        role = each["command"][0]
        assert role == name.rpartition("-")[2]
        assert role in STARTED or role in ("migrate", "seed")


def test_what_a_process_is_told_is_taken_by_it_and_says_where_every_other_domain_is(ours, tmp_path):
    for name, each in ours.items():
        if each["command"][0] not in ROLES:
            continue
        found = read({**each["environment"], "STATE_DIR": str(tmp_path)})
        assert found.databases_known, name
        assert all(found.admin_databases[domain] is None for domain in DOMAINS), name
        home = {domain: service for service in ("shop", "payments") for domain in _domains(ours[f"{service}-web"])}
        assert found.services.urls == {
            domain: f"http://{home[domain]}-web:8001" for domain in DOMAINS if domain not in found.hosted_domains
        }, name
        assert bool(found.jwt_signing_key) != bool(found.jwks_url), name


def test_a_secret_is_told_where_its_domain_is_hosted_and_an_administrators_to_the_migration_alone(ours):
    everybodys = {name for names in OWN.values() for name in names}
    for name, each in ours.items():
        told = each["environment"]
        mine = {secret for domain in OWN if domain in _domains(each) for secret in OWN[domain]}
        assert set(told) & everybodys <= mine, name
        assert ("DATABASE_URL" in told) == (each["command"] == ["migrate"]), name
        assert ("OPERATOR_PASSWORD" in told) == (each["command"] == ["seed"]), name
    assert {"SECRET_KEY", "SERVICE_KEY"} & set(ours["gateway"]["environment"]) == set()


def test_the_gateway_knows_each_group(ours):
    groups = {"+".join(_domains(each)): name for name, each in ours.items() if name.endswith("-web")}
    expected = {f"--group={group}=dns:{name}:8000" for group, name in groups.items()}
    assert set(ours["gateway"]["command"][1:]) == expected


def test_nothing_listens_beyond_this_machine(services):
    ports = {name: each["ports"] for name, each in services.items() if "ports" in each}
    assert {name for name in ports if not re.search("grafana|prometheus|jaeger|rabbitmq", name)} == {"gateway"}
    assert all(str(port).startswith("127.0.0.1:") for found in ports.values() for port in found)


def test_our_containers_have_no_rights_and_write_into_memory_alone(ours):
    for name, each in ours.items():
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert {folder.partition(":")[0] for folder in each["tmpfs"]} == {"/tmp", "/var/lib/mitosis"}, name
        assert "volumes" not in each, name


def test_every_image_has_a_tag_that_says_which_one_it_is(services, ours):
    for name in set(services) - set(ours):
        assert re.search(r":v?[0-9]+\.[0-9]+[0-9.]*(-[a-z]+)?$", services[name]["image"]), name


def test_each_file_that_is_mounted_is_there(services):
    for name, each in services.items():
        for mount in each.get("volumes", ()):
            source = mount.partition(":")[0].removeprefix("./")
            if mount.startswith("./"):
                assert (PROJECT / source).exists(), f"{name} mounts {source}"


def _domains(service: Any) -> list[str]:
    return service["environment"].get("DOMAINS", "").split(",")
