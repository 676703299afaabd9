"""The one admin site: its sign-in, its first page, and the few addresses of Django's that are left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from rest_framework.request import Request
from unfold.sites import UnfoldAdminSite

from contracts._base import Unavailable
from runtime.console import errors, identity, runbook, sessions, topology, traces
from runtime.console.figures import Group, alarms_of, groups_of
from runtime.console.forms import SignInForm
from runtime.console.neighbours import neighbours_panel
from runtime.http.attempts import Attempts
from runtime.http.problem import Problem

__all__ = ["Console"]

_LEFT_OUT = {"password_change", "password_change_done", "autocomplete", "view_on_site"}
"""Django's addresses that would need a table that is not here, or a page that nobody needs."""


class Console(UnfoldAdminSite):  # type: ignore[misc]  # Unfold is not typed
    index_template = app_index_template = "console/index.html"
    login_template = "admin/login.html"
    enable_nav_sidebar = True

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Every domain has its part of the addresses here, also where only its own processes can answer it."""
        own = [pattern for pattern in super().get_urls() if getattr(pattern, "name", None) not in _LEFT_OUT]
        others = [domain for domain in settings.DOMAIN_ALIASES if domain not in settings.HOSTED_DOMAINS]
        return [
            *(path(f"{domain}/{rest}", self._away(domain)) for domain in others for rest in ("", "<path:rest>")),
            path("traces/", self.admin_view(traces.recent_page), name="traces"),
            path("topology/", self.admin_view(topology.topology_page), name="topology"),
            path("runbook/", self.admin_view(runbook.runbook_page), name="runbook"),
            path("traces/<str:trace_id>/", self.admin_view(traces.trace_page), name="trace"),
            *own,
        ]

    def _away(self, domain: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, rest: str = "") -> HttpResponse:
            return errors.away(request, domain=domain)

        return cast(Callable[..., HttpResponse], self.admin_view(view))

    def _build_app_dict(self, request: HttpRequest, label: str | None = None) -> dict[str, Any] | None:
        """What the search of pages finds: all that the navigation has, also what is hosted elsewhere."""
        if label is not None:
            return cast(dict[str, Any] | None, super()._build_app_dict(request, label))
        return {
            group["title"]: {
                "name": group["title"],
                "app_label": group["title"].lower(),
                "app_url": f"{settings.CONSOLE_PATH}/{group['title'].lower()}/",
                "has_module_perms": True,
                "models": [
                    {"name": item["title"], "admin_url": item["link"], "view_only": True, "perms": {"view": True}}
                    for item in group["items"]
                    if item["has_permission"]
                ],
            }
            for group in self.get_sidebar_list(request)
            if "title" in group
        }

    @method_decorator(never_cache)
    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {
            **self.each_context(request),
            "title": "Overview",
            **_figures(groups_of(request)),
            "neighbours": neighbours_panel(),
        }
        return TemplateResponse(request, self.index_template, {**context, **(extra_context or {})})

    @method_decorator(never_cache)
    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """One domain's part of the first page, from a process that hosts it."""
        context = {"title": app_label.capitalize(), **_figures(groups_of(request, app_label))}
        return cast(TemplateResponse, super().app_index(request, app_label, {**context, **(extra_context or {})}))

    # --- Signing in and out -----------------------------------------------------------------------------------------

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("password"))
    @method_decorator(csrf_protect)
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Failed attempts count together with those at the API, for each account and each address."""
        target = _target(request)
        if request.method != "POST":
            return HttpResponseRedirect(target) if self.has_permission(request) else self._sign_in_page(request)
        form = SignInForm(request.POST)
        if not form.is_valid():
            return self._sign_in_page(request, form, status=422)
        email, password = form.cleaned_data["username"], form.cleaned_data["password"]
        try:
            with Attempts(Request(request), name="sign-in", subject=email.lower(), failure=identity.NotAdmitted):
                session = identity.sign_in(email=email, password=password)
        except identity.NotAdmitted:
            refusal, status = "The e-mail address or the password is wrong, or this account has no console.", 401
        except Problem as problem:
            refusal, status = problem.detail, problem.status
        except Unavailable:
            refusal, status = errors.NOBODY_SIGNED_IN, 503
        else:
            return _signed_in(request, session, target)
        form.add_error(None, refusal)
        return self._sign_in_page(request, form, status=status)

    def _sign_in_page(self, request: HttpRequest, form: SignInForm | None = None, *, status: int = 200) -> HttpResponse:
        context = {
            **self.each_context(request),
            "title": "Sign in",
            "app_path": request.get_full_path(),
            "form": form or SignInForm(),
        }
        return TemplateResponse(request, self.login_template, context, status=status)

    @method_decorator(never_cache)
    @method_decorator(csrf_protect)
    @method_decorator(require_POST)
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = HttpResponseRedirect(reverse("admin:login"))
        sessions.end(response)
        messages.success(request, "You are signed out.")
        return response


def _figures(groups: Sequence[Group]) -> dict[str, Any]:
    """What the columns of the machinery's table are called is said by the first who could be asked."""
    headings = next((group.machinery for group in groups if not group.failed), ())
    return {"groups": groups, "headings": headings, "alarms": alarms_of(groups)}


def _signed_in(request: HttpRequest, session: sessions.Session, target: str) -> HttpResponse:
    rotate_token(request)
    response = HttpResponseRedirect(target)
    sessions.keep(response, session, secure=request.is_secure())
    return response


def _target(request: HttpRequest) -> str:
    """Where to go after signing in: a page of the console and nothing else, whatever the address says."""
    first_page: str = reverse("admin:index")
    wanted = request.GET.get("next", "")
    own = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith(f"{settings.CONSOLE_PATH}/")
    return wanted if own and not wanted.startswith(reverse("admin:login")) else first_page
