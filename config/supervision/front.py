"""The gateway before the groups of a split set: HAProxy as one more process, told where each group answers."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

from config.gateway import describe
from config.supervision.doors import HOST, Doors
from config.supervision.errors import NoGateway
from config.supervision.processes import ProcessSpec
from config.topology import DOMAINS, Topology
from runtime.gateway import program
from runtime.gateway.configuration import MAIN_FILE
from runtime.gateway.site import BadSite, Group, Server

NAME = "gateway"


def gateway_spec(topology: Topology, state: Path) -> ProcessSpec:
    """Raises NoGateway where there is no HAProxy."""
    folder = state / NAME
    try:
        command = program.command(folder / MAIN_FILE)
    except program.HaproxyMissing as error:
        raise NoGateway(reason=str(error)) from error
    return ProcessSpec(
        name=NAME,
        role=NAME,
        domains=topology.domains,
        command=command,
        door="front",
        prepare=partial(_write, topology, folder),
        # A configuration may read any variable.
        told=program.environment(),
        # What it has begun it ends; whoever merely keeps a connection is not waited for.
        stop_signal=signal.SIGUSR1,
        change_signal=signal.SIGUSR2,
        stop_limit=2.0,
    )


def _write(topology: Topology, folder: Path, doors: Doors) -> None:
    """HAProxy's files, with the doors as they are. Raises NoGateway, StateUnusable."""
    groups = [
        Group(domains=group, servers=(Server(host=HOST, port=doors.port(group, "public")),))
        for group in topology.groups
    ]
    fds = doors.fds(NAME)
    elsewhere = [domain for domain in DOMAINS if domain not in topology.domains]
    try:
        site = describe(
            bind=f"fd@{fds['public']}", groups=groups, folder=folder, metrics=f"fd@{fds['inside']}", elsewhere=elsewhere
        )
    except BadSite as error:
        raise NoGateway(reason=f"{error}.") from error
    program.write(site)
