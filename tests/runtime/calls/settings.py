"""The project's settings, in a process that hosts the depot beside its domains."""

from config.settings import *  # noqa: F403
from config.settings import CALLERS, CONTRACTS, HOSTED_DOMAINS, SERVICES
from tests.runtime.calls.depot import DEPOT_CALLERS

HOSTED_DOMAINS = (*HOSTED_DOMAINS, "depot")
CONTRACTS = {**CONTRACTS, "depot": "tests.runtime.calls.depot.DEPOT"}
SERVICES = {**SERVICES, "depot": "tests.runtime.calls.depot.KEPT"}
CALLERS = {**CALLERS, "depot": DEPOT_CALLERS}
