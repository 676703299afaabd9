"""What users does when another domain announces something: nothing yet."""

from __future__ import annotations

from runtime.messaging import Handlers

HANDLERS = Handlers({})
