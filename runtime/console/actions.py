"""What an operator can do to a record: an action says what it needs, what it will do, and which service does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from runtime.console.forms import ActionForm

__all__ = ["Action"]


class Action[Row]:
    """
    Subclasses fill in what stands here. ``run`` calls the domain's service, outside of any transaction, and nothing
    else; the service's refusals (Rejected, Unavailable) are shown to whoever asked.

    ``name`` is the verb in the address and, after the domain, in the audit row. ``makes_new``: there is no row yet, and
    None is handed over instead of one.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    icon: ClassVar[str] = "play_arrow"
    permission: ClassVar[str]
    form: ClassVar[type[ActionForm]] = ActionForm
    dangerous: ClassVar[bool] = False
    """Money or an order is given up: the button is red."""
    makes_new: ClassVar[bool] = False
    looks_first: ClassVar[bool] = False
    """What will happen depends on what is typed: ``exactly`` is shown first, and only what was shown is done."""

    def form_for(self, row: Row) -> type[ActionForm]:
        """``form``, or one of this row's own."""
        return self.form

    def is_legal(self, row: Row) -> bool:
        """Whether to offer it for this row now. The service has the last word."""
        return True

    def preview(self, row: Row) -> Sequence[str]:
        """What will happen, a sentence each."""
        raise NotImplementedError

    def exactly(self, row: Row, given: Mapping[str, Any]) -> Sequence[str]:
        """
        What will happen with what was typed, a sentence each, where the action ``looks_first``. Nothing is done.

        Raises Rejected, Unavailable, as ``run`` would.
        """
        raise NotImplementedError

    def initial(self, row: Row) -> dict[str, Any]:
        """What the form says before anybody has typed."""
        return {}

    def run(self, row: Row, given: Mapping[str, Any], *, key: str) -> str:
        """
        Do it, once for this key. Answers with the sentence that says that it is done.

        Raises Rejected, Unavailable.
        """
        raise NotImplementedError

    def facts(self, row: Row) -> Mapping[str, Any]:
        """What of the row this is about, as plain JSON: goes into the audit row, before and after."""
        raise NotImplementedError

    def object_id(self, row: Row, given: Mapping[str, Any]) -> str:
        """The primary key of what it is done to, as text."""
        return str(row.pk)  # type: ignore[attr-defined]  # a model

    def reason(self, given: Mapping[str, Any]) -> str:
        return str(given.get("reason", ""))
