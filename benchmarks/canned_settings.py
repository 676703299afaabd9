"""The project's settings, with inventory kept by benchmarks/canned.py."""

from config.settings import *  # noqa: F403
from config.settings import SERVICES

SERVICES = {**SERVICES, "inventory": "benchmarks.canned.SERVICE"}
