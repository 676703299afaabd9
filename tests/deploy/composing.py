"""compose.yaml as Compose reads it, with secrets that were made for it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from tests.deploy.rendering import PROJECT

FILE = PROJECT / "compose.yaml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}")


def make_secrets() -> dict[str, str]:
    """What make_env.sh makes, as Compose reads it."""
    done = subprocess.run(["deploy/compose/make_env.sh"], cwd=PROJECT, capture_output=True, text=True, check=True)
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return {name: value.strip('"').replace("\\n", "\n") if value[0] == '"' else value for name, value in lines.items()}


def read_services(secrets: Mapping[str, str]) -> dict[str, Any]:
    """Each service by its name, with every variable replaced."""

    def value(found: re.Match[str]) -> str:
        name, rule, word = found.groups()
        if name in secrets:
            return _KEPT.format(name) if "\n" in secrets[name] else secrets[name]
        assert rule == ":-", f"{name} has to be set, and make_env.sh does not"
        return word

    services: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, FILE.read_text()))["services"]
    for service in services.values():
        told = service.get("environment", {})
        # Compose puts values in after it has read the YAML: several lines are one value, and nothing is an empty one.
        for name in told:
            told[name] = secrets[name] if told[name] == _KEPT.format(name) else told[name] or ""
    return services


_KEPT = "<{}>"


def ours(services: Mapping[str, Any]) -> dict[str, Any]:
    """Those that run our image."""
    return {name: each for name, each in services.items() if each["image"].startswith("mitosis:")}
