"""What to run for a topology."""

from __future__ import annotations

from pathlib import Path

from config.supervision.front import gateway_spec
from config.supervision.processes import Plan, process_specs
from config.topology import Topology


def plan_for(topology: Topology, *, state: Path) -> Plan:
    """
    A web server, a worker and a relay for each group, and before several groups a gateway.

    Raises NoGateway where one is needed and there is no HAProxy.
    """
    specs = process_specs(topology.groups, state)
    return Plan(processes=(*specs, gateway_spec(topology, state)) if topology.is_split else specs)
