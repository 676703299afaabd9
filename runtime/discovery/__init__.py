"""
A domain that other processes host is found where it answers now, and whoever of them is gone is not asked twice.

``choose`` gives one of the processes that host a domain, ``told`` hears how asking it went: each choice is followed by
one telling.
"""

from runtime.discovery.choosing import NoInstance
from runtime.discovery.instances import Instance
from runtime.discovery.whereabouts import choose, is_known, told

__all__ = ["Instance", "NoInstance", "choose", "is_known", "told"]
