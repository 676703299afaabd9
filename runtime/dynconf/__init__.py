"""
Values that change while everything runs are the same everywhere within seconds, and never bad ones.

``value("orders.budget")`` reads this process's memory. What it reads there comes from one table of one domain
(DYNAMIC_DOMAIN), over its database where the domain is hosted and over HTTP elsewhere.
"""

from runtime.dynconf.declared import BadValue, Declared, Kind, UnknownValue
from runtime.dynconf.values import value

__all__ = ["BadValue", "Declared", "Kind", "UnknownValue", "value"]
