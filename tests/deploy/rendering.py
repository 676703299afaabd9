"""The overlays as `kubectl kustomize` renders them, and what the tests ask of the result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.topology import Topology

PROJECT = Path(__file__).resolve().parents[2]
OVERLAYS = {
    "monolith": Topology.parse("users,inventory,payments,orders"),
    "payments-extracted": Topology.parse("users,inventory,orders|payments"),
    "four-services": Topology.parse("users|inventory|payments|orders"),
}
"""What each is said to be."""

GROUP, COMPONENT, SERVER = "mitosis/group", "app.kubernetes.io/component", "mitosis/server"
SERVERS = ("database", "broker", "cache")
ROLES = ("web", "worker", "relay")
PUBLIC, INSIDE = 8000, 8001

Object = Mapping[str, Any]


def program(name: str) -> str:
    """One of the development tools. Skips, or where REQUIRE_ALL=1 fails, where it is made for another system."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{name} is not installed, and REQUIRE_ALL=1 says that it has to be.")
        pytest.skip(f"{name} is not installed.")
    return str(found)


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    words = [program("kubectl"), "kustomize", str(PROJECT / "deploy/kubernetes/overlays" / overlay)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "kustomize warns of nothing"
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[Object]:
    return [each for each in rendered(overlay) if each["kind"] in kinds]


def name_of(each: Object) -> str:
    return str(each["metadata"]["name"])


def pods(overlay: str) -> Iterator[tuple[str, dict[str, str], Object]]:
    """Of each workload its name, the labels of its pods, and their spec."""
    for each in of_kind(overlay, "Deployment", "Job"):
        template = each["spec"]["template"]
        yield name_of(each), template["metadata"]["labels"], template["spec"]


def settings(overlay: str, container: Object) -> dict[str, str]:
    """What a container is told in plain words: its ConfigMap's values, then its own."""
    maps = {name_of(each): each["data"] for each in of_kind(overlay, "ConfigMap")}
    told: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            told |= maps[source["configMapRef"]["name"]]
    return told | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def secrets(container: Object) -> set[str]:
    """The Secrets that a container is told from."""
    whole = {each["secretRef"]["name"] for each in container.get("envFrom", ()) if "secretRef" in each}
    keys = (each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", ()))
    return whole | {key["name"] for key in keys if key}


def hosted(overlay: str) -> dict[str, tuple[str, ...]]:
    """The domains of each group, by the group's label, as its web server is told them."""
    return {
        labels[GROUP]: tuple(settings(overlay, spec["containers"][0])["DOMAINS"].split(","))
        for _, labels, spec in pods(overlay)
        if labels[COMPONENT] == "web"
    }


# --- Who reaches whom, by the network policies -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From the pods of a role to those of another, at a port. ``group`` is empty where there is none."""

    source_group: str
    source: str
    target_group: str
    target: str
    port: int


def ways(overlay: str) -> set[Way]:
    """Between pods that the overlay knows and the servers that it names: those that both sides allow."""
    places = [(labels.get(GROUP, ""), labels[COMPONENT], labels) for _, labels, _ in pods(overlay)]
    groups = {labels[GROUP] for _, labels, _ in pods(overlay) if GROUP in labels}
    servers = [
        (group, name, {GROUP: group, SERVER: name}) for group in groups for name in ("database", "broker", "cache")
    ]
    ports = {port for each in _policies(overlay) for way in ("ingress", "egress") for port in _ports(each, way)}
    return {
        Way(source_group=sg, source=s, target_group=tg, target=t, port=port)
        for sg, s, source in places
        for tg, t, target in (*places, *servers)
        for port in ports
        if _leaves(overlay, source, target, port)
        # Servers are not ours to close: who runs them does.
        and (SERVER in target or _enters(overlay, source, target, port))
    }


def strangers(overlay: str) -> set[tuple[str, str, str, str, int]]:
    """
    Of each pod its group, its role, and with whom outside the overlay it speaks: which way, whom, at which port.

    Whom is a namespace, the addresses of a block, or ``anybody``.
    """
    found = set()
    for _, labels, _ in pods(overlay):
        for policy in _policies(overlay):
            if not selects(policy["podSelector"], labels):
                continue
            for way, peers in (("ingress", "from"), ("egress", "to")):
                for rule in policy.get(way, ()):
                    for whom in _strangers_of(rule, peers):
                        who = (labels.get(GROUP, ""), labels[COMPONENT], way, whom)
                        found |= {(*who, each["port"]) for each in rule["ports"]}
    return found


def _strangers_of(rule: Object, peers: str) -> Iterator[str]:
    if peers not in rule:
        yield "anybody"
    for peer in rule.get(peers, ()):
        if "ipBlock" in peer:
            yield peer["ipBlock"]["cidr"]
        elif "namespaceSelector" in peer:
            ((chosen,),) = [each["values"] for each in peer["namespaceSelector"]["matchExpressions"]]
            yield chosen


def _policies(overlay: str) -> list[Object]:
    return [each["spec"] for each in of_kind(overlay, "NetworkPolicy")]


def _ports(policy: Object, way: str) -> Iterator[int]:
    for rule in policy.get(way, ()):
        yield from (each["port"] for each in rule["ports"])


def _leaves(overlay: str, source: Mapping[str, str], target: Mapping[str, str], port: int) -> bool:
    return _allows(overlay, source, target, port, way="egress", peers="to")


def _enters(overlay: str, source: Mapping[str, str], target: Mapping[str, str], port: int) -> bool:
    return _allows(overlay, target, source, port, way="ingress", peers="from")


def _allows(
    overlay: str, subject: Mapping[str, str], other: Mapping[str, str], port: int, *, way: str, peers: str
) -> bool:
    about = [each for each in _policies(overlay) if selects(each["podSelector"], subject)]
    assert any(way.capitalize() in each["policyTypes"] for each in about), f"no policy closes {subject}"
    rules = [rule for each in about if way.capitalize() in each["policyTypes"] for rule in each.get(way, ())]
    return any(
        port in [each["port"] for each in rule["ports"]]
        and any(
            "namespaceSelector" not in peer and "podSelector" in peer and selects(peer["podSelector"], other)
            for peer in rule.get(peers, ())
        )
        for rule in rules
    )


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """As Kubernetes reads a label selector. Of its operators only In is used here."""
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In", each
        if labels.get(each["key"]) not in each["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
