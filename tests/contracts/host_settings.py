"""The project's settings, in a process that every service may ask for everything its contracts have."""

from django.utils.module_loading import import_string

from config.settings import *  # noqa: F403
from config.settings import CONTRACTS
from runtime.calls.routing import protocol_of
from runtime.calls.signatures import methods_of

CALLERS = {
    domain: {method.name: frozenset(CONTRACTS) for method in methods_of(protocol_of(import_string(ref)))}
    for domain, ref in CONTRACTS.items()
}
