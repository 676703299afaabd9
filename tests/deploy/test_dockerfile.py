"""The Dockerfile as it is written; what it makes is in test_image.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from django.conf import settings

from config.openapi import WRITTEN
from tests.deploy.rendering import PROJECT, program

DOCKERFILE = (PROJECT / "Dockerfile").read_text()


def hadolint(file: Path) -> tuple[int, str]:
    words = [program("hadolint"), "--no-color", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_hadolint_has_nothing_to_say():
    assert hadolint(PROJECT / "Dockerfile") == (0, "")


def test_hadolint_would_find_a_role_that_runs_as_root(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text(DOCKERFILE.replace("USER 10001:10001", "USER root"))
    code, said = hadolint(bad)
    assert (code, "DL3002" in said) == (1, True)


def test_the_base_is_one_release_and_both_stages_have_it():
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.13\.[0-9]+-slim-[a-z]+", base)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2


def test_what_goes_into_it_is_named_one_by_one():
    ignored = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copies = re.findall(r"^COPY (\w.*) \S+$", DOCKERFILE, re.MULTILINE)
    copied = {name for names in copies for name in names.split()}
    code = {"requirements.lock", "manage.py", "contracts", "runtime", "apps", "config"}
    # Of the documents, those that a process shows.
    assert allowed == copied == code | {f"docs/{settings.RUNBOOK.name}", str(WRITTEN)}
