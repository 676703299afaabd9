"""
From the click to the audit row: shows what will happen, does it once for each form, and writes down who did it.

These are views of their own, outside of Django's: its change views run inside a transaction, in which no service may
call another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from contracts._base import ContractError, Rejected
from runtime.audit import store as audit
from runtime.console.actions import Action
from runtime.console.forms import ActionForm
from runtime.http.idempotency import fingerprint
from runtime.idempotency import store as idempotency
from runtime.idempotency.store import Answer, KeyReused, Run, StillRunning

__all__ = ["Performance", "perform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One action on one record (a ModelAdmin's, ``pages``), asked for in one request."""

    pages: Any
    action: Action[Any]
    request: HttpRequest
    row: Any

    @property
    def domain(self) -> str:
        return str(self.pages.domain)

    @property
    def object_type(self) -> str:
        return str(self.pages.opts.model_name)

    @property
    def operator(self) -> UUID:
        return UUID(str(self.request.user.pk))

    @property
    def route(self) -> str:
        """What a form's key is scoped to, beside the operator."""
        return f"console/{self.domain}/{self.object_type}/{self.row.pk if self.row else ''}/{self.action.name}"

    def facts(self, row: Any) -> dict[str, Any]:
        return dict(self.action.facts(row)) if row is not None else {}

    def address(self) -> str:
        """Where to go afterwards, or instead."""
        return str(self.pages.address_of(self.row))


@require_http_methods(["GET", "HEAD", "POST"])
def perform(request: HttpRequest, pages: Any, action: Action[Any], row: Any) -> HttpResponse:
    """The view of an action. Raises Http404 where there is no such record, PermissionDenied without the permission."""
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    if row is None and not action.makes_new:
        raise Http404
    this = Performance(pages=pages, action=action, request=request, row=row)
    if request.method == "POST":
        return _submitted(this)
    if row is not None and not action.is_legal(row):
        messages.warning(request, f"This can no longer be done: {action.title.lower()}.")
        return HttpResponseRedirect(this.address())
    return _page(this, action.form_for(row).fresh(action.initial(row)))


def _submitted(this: Performance) -> HttpResponse:
    form = this.action.form_for(this.row)(this.request.POST)
    if not form.is_valid():
        return _page(this, form, status=422)
    try:
        begun = idempotency.begin(
            using=this.domain,
            principal=str(this.operator),
            route=this.route,
            key=str(form.cleaned_data["key"]),
            fingerprint=fingerprint(this.route, {name: str(value) for name, value in form.given().items()}),
        )
    except StillRunning:
        messages.warning(this.request, "This was asked for before and is under way. Look again in a moment.")
        return HttpResponseRedirect(this.address())
    except KeyReused:
        messages.error(this.request, "This form was sent before, with something else in it. Here is a new one.")
        return HttpResponseRedirect(this.request.path)
    if isinstance(begun, Answer):
        messages.success(this.request, begun.body)
        return HttpResponseRedirect(begun.headers["Location"])
    return _done(this, form, begun)


def _done(this: Performance, form: ActionForm, run: Run) -> HttpResponse:
    """Do it and write it down. After a refusal the form's key is free again: nothing was done, or it is safe to ask."""
    before, given = this.facts(this.row), form.given()
    try:
        if this.action.looks_first:
            exactly = this.action.exactly(this.row, given)
            if this.request.POST.get("seen") != _seal(exactly):
                idempotency.free(run)
                return _page(this, form, exactly=exactly)
        sentence = this.action.run(this.row, given, key=str(run.operation))
    except ContractError as error:
        idempotency.free(run)
        form.add_error(None, _in_words(error))
        return _page(this, form, status=409 if isinstance(error, Rejected) else 503)
    except Exception:
        idempotency.free(run)
        raise
    location = _write_down(this, run, before=before, given=given, sentence=sentence)
    messages.success(this.request, sentence)
    return HttpResponseRedirect(location)


def _write_down(
    this: Performance, run: Run, *, before: Mapping[str, Any], given: Mapping[str, Any], sentence: str
) -> str:
    """The audit row, and what is said if the same form comes again, in one transaction. Where to go from here."""
    object_id = this.action.object_id(this.row, given)
    row = this.pages.find(this.request, object_id)
    deed = audit.Deed(
        action=f"{this.domain}.{this.action.name.replace('-', '_')}",
        object_type=this.object_type,
        object_id=object_id,
        reason=this.action.reason(given),
        before=before,
        after=this.facts(row),
    )
    location = str(this.pages.address_of(row))
    with transaction.atomic(using=this.domain):
        audit.write(deed, operator=this.operator, key=run.operation, using=this.domain)
        idempotency.finish(run, Answer(status=303, headers={"Location": location}, body=sentence))
    return location


def _in_words(error: ContractError) -> str:
    if isinstance(error, Rejected):
        facts = "; ".join(f"{name}: {value}" for name, value in error.data.items())
        sentence = error.detail[:1].upper() + error.detail[1:].rstrip(".")
        return f"{sentence}{f' ({facts})' if facts else ''}. Nothing was changed."
    if error.may_have_run:
        return "It cannot be said whether this was done. Send this same form again: it will not be done twice."
    return "This could not be done now, and nothing was changed. Try again in a moment."


def _seal(sentences: Sequence[str]) -> str:
    """Tells what was seen from what would be shown now: somebody else may have been at it, or other numbers typed."""
    return fingerprint("console", list(sentences))


def _page(
    this: Performance, form: ActionForm, *, status: int = 200, exactly: Sequence[str] | None = None
) -> HttpResponse:
    pages, action = this.pages, this.action
    context = {
        **pages.admin_site.each_context(this.request),
        "title": action.title,
        "trail": [*pages.trail(this.row), (action.title, this.request.path)],
        "name": f"{pages.title} {this.row.pk}" if this.row is not None else "",
        "row": this.row,
        "action": action,
        "form": form,
        "preview": action.preview(this.row) if exactly is None else exactly,
        "seen": "" if exactly is None else _seal(exactly),
        "looks": action.looks_first and exactly is None,
        "facts": this.facts(this.row),
        "back": this.address(),
    }
    return TemplateResponse(this.request, "console/action.html", context, status=status)
