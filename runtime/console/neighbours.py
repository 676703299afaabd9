"""How the services that this site asks over the wire stand with each of its processes."""

from __future__ import annotations

from runtime.console.panels import Panel, badge, moment
from runtime.resilience import State
from runtime.resilience.figures import neighbours

__all__ = ["neighbours_panel"]

_TONES = {State.CLOSED: "good", State.HALF_OPEN: "news", State.OPEN: "bad"}
_WORDS = {State.CLOSED: "asked", State.HALF_OPEN: "asked by one", State.OPEN: "not asked"}


def neighbours_panel() -> Panel:
    """A row for each neighbour and process. Without rows where nobody far away was asked."""
    return Panel(
        title="Neighbours",
        headers=("Service", "Process", "State", "Since", "Failures in a row"),
        rows=[
            (
                each.callee.capitalize(),
                each.process,
                badge(_WORDS[each.state], _TONES[each.state]),
                moment(each.since),
                each.failures,
            )
            for each in neighbours()
        ],
    )
