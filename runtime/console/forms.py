"""Forms of the console, and the kinds of field they are made of, in Unfold's dress."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

__all__ = [
    "ActionForm",
    "SignInForm",
    "amount",
    "carried",
    "flag",
    "optional_reason",
    "prose",
    "several",
    "text",
    "whole_number",
]


class SignInForm(forms.Form):
    username = forms.CharField(
        label="E-mail address",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        max_length=128,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


class ActionForm(forms.Form):
    """
    What an action asks for. Its key goes with it, a new one for each form that is shown: a form that is sent twice is
    one effect.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)

    @classmethod
    def fresh(cls, initial: dict[str, Any]) -> ActionForm:
        """An empty form with a key that was never used."""
        return cls(initial={**initial, "key": uuid4()})

    def given(self) -> dict[str, Any]:
        """What was asked for, without the key."""
        return {name: value for name, value in self.cleaned_data.items() if name != "key"}


# --- Kinds of field -------------------------------------------------------------------------------------------------


def text(label: str, *, longest: int, required: bool = True, **more: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=longest, required=required, widget=UnfoldAdminTextInputWidget(), **more
    )


def prose(label: str, *, longest: int, required: bool = True, **more: Any) -> forms.CharField:
    """Several lines."""
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return forms.CharField(label=label, max_length=longest, required=required, widget=widget, **more)


def optional_reason() -> forms.CharField:
    """For what is a day's work, and gives nothing up: who has a reason can leave it in the audit."""
    return text("Reason", longest=200, required=False, help_text="For the audit, where there is one to keep.")


def whole_number(label: str, *, least: int, most: int, **more: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, widget=UnfoldAdminIntegerFieldWidget(), **more
    )


def amount(label: str, **more: Any) -> forms.DecimalField:
    """Money, in a currency that goes without saying: from 0.01, two places."""
    return forms.DecimalField(
        label=label,
        min_value=Decimal("0.01"),
        max_digits=18,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"inputmode": "decimal"}),
        **more,
    )


def several(label: str, choices: Sequence[str], **more: Any) -> forms.MultipleChoiceField:
    """Any of these, or none."""
    return forms.MultipleChoiceField(
        label=label,
        choices=[(choice, choice) for choice in choices],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        **more,
    )


def flag(label: str, **more: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanSwitchWidget(), **more)


def carried(pattern: str) -> forms.RegexField:
    """What the page showed, brought back with the form: nobody sees it or types it."""
    return forms.RegexField(regex=pattern, max_length=200, widget=forms.HiddenInput)
