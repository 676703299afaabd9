"""What to run for a topology."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from config.extracted import read_extracted
from config.supervision.changing import Wanted
from config.supervision.front import gateway_spec
from config.supervision.processes import Plan, process_specs
from config.supervision.supervisor import Supervisor
from config.topology import Topology


def plan_for(topology: Topology, *, state: Path) -> Plan:
    """
    A web server, a worker and a relay for each group, and before several groups a gateway.

    Raises NoGateway where one is needed and there is no HAProxy.
    """
    specs = process_specs(topology.groups, state)
    return Plan(processes=(*specs, gateway_spec(topology, state)) if topology.is_split else specs)


def supervisor_for(topology: Topology, *, state: Path, say: Callable[[str], None]) -> Supervisor:
    """
    One that runs this topology with the environment's settings, and follows what is extracted and absorbed meanwhile.

    Raises NoGateway, BadSetting.
    """
    extracted = read_extracted(state)
    # What was extracted and is back again belongs to its old group, also where this was started in between.
    base = extracted.base if extracted else topology

    def wanted() -> Wanted:
        now = read_extracted(state)
        if now is None:
            return Wanted(plan=plan_for(base, state=state), environ=os.environ, base=base)
        return Wanted(plan=plan_for(now.topology, state=state), environ=now.over(os.environ), base=now.base)

    first = wanted()
    return Supervisor(first.plan, state=state, environ=first.environ, say=say, base=first.base, replan=wanted)
