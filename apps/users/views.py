"""HTTP of users."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apps.users import serializers
from apps.users.page import POLICY, page
from apps.users.service import (
    SERVICE,
    BadMailToken,
    BadRefreshToken,
    EmailVerifiedAlready,
    MoreThanYours,
    WrongPassword,
)
from contracts.users import ROLES, BadCredentials, UserUnknown
from runtime.http.addresses import client_network
from runtime.http.attempts import Attempts
from runtime.http.counters import counters, parse_limit
from runtime.http.limits import rate_limited
from runtime.http.pages import PAGE_PARAMETERS, page_answer, page_of, read_page
from runtime.http.problem import Problem, field_error
from runtime.http.schema import problem_answers
from runtime.http.serializers import body_of
from runtime.http.views import View
from runtime.identity import Anyone, Requires, SignedIn, principal_of


class UserListView(View):
    def get_permissions(self) -> list[Any]:
        return [Anyone()] if self.request.method == "POST" else [Requires("users.view_any")()]

    @extend_schema(parameters=PAGE_PARAMETERS, responses=page_of(serializers.UserSerializer))
    def get(self, request: Request) -> Response:
        """All users, newest first."""
        page = SERVICE.accounts(page=read_page(request))
        return page_answer(request, page, serializers.UserSerializer)

    @extend_schema(request=serializers.RegisterSerializer, responses={201: serializers.UserSerializer})
    def post(self, request: Request) -> Response:
        """Open an account."""
        account = SERVICE.register(**body_of(request, serializers.RegisterSerializer))
        answer = serializers.UserSerializer(account).data
        return Response(answer, status=201, headers={"Location": f"/api/users/{account.id}"})


class MeView(View):
    permission_classes = [SignedIn]
    problem_status = {UserUnknown: 404}

    @extend_schema(responses=serializers.UserSerializer)
    def get(self, request: Request) -> Response:
        """The caller's own account."""
        account = SERVICE.account(user_id=principal_of(request).user_id)
        return Response(serializers.UserSerializer(account).data)


class UserView(View):
    permission_classes = [SignedIn]
    problem_status = {UserUnknown: 404, MoreThanYours: 403}

    @extend_schema(responses=serializers.UserSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """One account: one's own, or anybody's with the permission users.view_any."""
        caller = principal_of(request)
        if caller.id != str(user_id) and not caller.may("users.view_any"):
            raise UserUnknown
        return Response(serializers.UserSerializer(SERVICE.account(user_id=user_id)).data)

    @extend_schema(request=serializers.ChangeSerializer, responses=serializers.UserSerializer)
    def patch(self, request: Request, user_id: UUID) -> Response:
        """
        Change one's own account, or with the permission users.change_any somebody's name and whether it is active.
        A new password signs out whoever was signed in.
        """
        allowed = _permissions_over(user_id, request)
        given = body_of(request, serializers.ChangeSerializer, partial=True)
        if allowed is not None and given.keys() & {"email", "password"}:
            raise PermissionDenied("Only the users themselves change their e-mail address and their password.")
        if "password" in given and "current_password" not in given:
            raise _current_password_problem("required", "A new password needs the current one.")
        if "active" in given and not principal_of(request).may("users.change_any"):
            raise PermissionDenied("This needs the permission users.change_any.")
        with _wrong_password_named(), Attempts(request, name="password", subject=str(user_id), failure=WrongPassword):
            account = SERVICE.change(user_id=user_id, allowed=allowed, **given)
        return Response(serializers.UserSerializer(account).data)

    @extend_schema(responses={204: None, **problem_answers(409)})
    def delete(self, request: Request, user_id: UUID) -> Response:
        """
        Erase an account: the person is forgotten, here and wherever something was kept of them; what was ordered and
        paid stays in the books, under an id that leads to nobody. It cannot be undone.
        """
        SERVICE.erase(user_id=user_id, allowed=_permissions_over(user_id, request))
        return Response(status=204)


@contextmanager
def _wrong_password_named() -> Iterator[None]:
    try:
        yield
    except WrongPassword as error:
        raise _current_password_problem(error.code, error.detail) from None


def _current_password_problem(code: str, detail: str) -> Problem:
    errors = [field_error("/currentPassword", code, detail)]
    return Problem(400, "validation_failed", "The body is not as it should be: see errors.", errors=errors)


def _permissions_over(user_id: UUID, request: Request) -> Set[str] | None:
    """What the caller may do, where the account is somebody else's; None for one's own. Raises UserUnknown."""
    caller = principal_of(request)
    if caller.id == str(user_id):
        return None
    if not caller.may("users.change_any"):
        raise UserUnknown
    return caller.permissions


class RoleListView(View):
    permission_classes = [Requires("users.view_any")]

    @extend_schema(responses=serializers.RoleListSerializer)
    def get(self, request: Request) -> Response:
        """Every role and what it allows."""
        roles = [{"name": name, "permissions": sorted(allowed)} for name, allowed in ROLES.items()]
        return Response({"items": roles})


class UserRolesView(View):
    permission_classes = [Requires("users.change_roles")]
    problem_status = {UserUnknown: 404}

    @extend_schema(request=serializers.RolesSerializer, responses=serializers.UserSerializer)
    def put(self, request: Request, user_id: UUID) -> Response:
        """Give a user these roles and no others, in tokens issued from now on."""
        account = SERVICE.set_roles(user_id=user_id, **body_of(request, serializers.RolesSerializer))
        return Response(serializers.UserSerializer(account).data)


class _SigningView(View):
    """Whoever asks here may well send an access token that has expired: it is not looked at."""

    authentication_classes = []
    permission_classes = [Anyone]
    problem_status = {BadCredentials: 401, BadRefreshToken: 401}


class TokenView(_SigningView):
    @extend_schema(request=serializers.SignInSerializer, responses=serializers.TokenPairSerializer)
    def post(self, request: Request) -> Response:
        """Sign in. Failed attempts are limited for each account and each address."""
        given = body_of(request, serializers.SignInSerializer)
        with Attempts(request, name="sign-in", subject=given["email"].lower(), failure=BadCredentials):
            pair = SERVICE.sign_in(**given)
        return Response(serializers.TokenPairSerializer(pair).data)


class RefreshView(_SigningView):
    @extend_schema(request=serializers.RefreshSerializer, responses=serializers.TokenPairSerializer)
    def post(self, request: Request) -> Response:
        """A new pair for a refresh token, which can be used once. A second use signs out whoever has the first."""
        pair = SERVICE.refresh(**body_of(request, serializers.RefreshSerializer))
        return Response(serializers.TokenPairSerializer(pair).data)


class RevokeView(_SigningView):
    @extend_schema(request=serializers.RefreshSerializer, responses={200: None})
    def post(self, request: Request) -> Response:
        """Sign out: this refresh token and all that came of the same sign-in end."""
        SERVICE.revoke(**body_of(request, serializers.RefreshSerializer))
        return Response({})


# --- By mail --------------------------------------------------------------------------------------------------------


class _MailTokenView(View):
    """What a letter's link leads to: a page by GET, and by POST what its button does."""

    authentication_classes = []
    permission_classes = [Anyone]
    problem_status = {BadMailToken: 400}


class PasswordResetView(View):
    authentication_classes = []
    permission_classes = [Anyone]

    @extend_schema(request=serializers.AddressSerializer, responses={202: None})
    def post(self, request: Request) -> Response:
        """Ask for a letter with which to choose a new password. The answer is the same for every address."""
        given = body_of(request, serializers.AddressSerializer)
        _count_letters(request, given["email"])
        SERVICE.ask_for_password_reset(**given)
        return Response({}, status=202)


class PasswordResetConfirmView(_MailTokenView):
    @extend_schema(responses={(200, "text/html"): str})
    def get(self, request: Request) -> HttpResponse:
        """The page behind the letter's link."""
        done = "The password is changed. Sign in with it."
        return _page(title="Choose a new password", button="Change it", done=done, asks_password=True)

    @extend_schema(request=serializers.NewPasswordSerializer, responses={200: None})
    def post(self, request: Request) -> Response:
        """Choose a new password with the token from a letter, once. Whoever was signed in is signed out."""
        SERVICE.reset_password(**body_of(request, serializers.NewPasswordSerializer))
        return Response({})


class VerifyEmailView(_MailTokenView):
    @extend_schema(responses={(200, "text/html"): str})
    def get(self, request: Request) -> HttpResponse:
        """The page behind the letter's link."""
        return _page(title="Confirm your e-mail address", button="Confirm it", done="The address is confirmed.")

    @extend_schema(request=serializers.MailTokenSerializer, responses={200: None})
    def post(self, request: Request) -> Response:
        """Confirm an e-mail address with the token from a letter, once."""
        SERVICE.verify_email(**body_of(request, serializers.MailTokenSerializer))
        return Response({})


class ResendVerificationView(View):
    permission_classes = [SignedIn]
    problem_status = {UserUnknown: 404, EmailVerifiedAlready: 409}

    @extend_schema(request=None, responses={202: None, **problem_answers(404)})
    def post(self, request: Request) -> Response:
        """Ask for the letter that confirms one's e-mail address again."""
        user_id = principal_of(request).user_id
        _count_letters(request, str(user_id))
        SERVICE.ask_for_verification(user_id=user_id)
        return Response({}, status=202)


def _count_letters(request: Request, subject: str) -> None:
    """Letters are limited for each address they go to and each one they are asked for from. Raises Problem 429."""
    limit = parse_limit(settings.MAIL_LIMIT)
    if limit is None:
        return
    # Hashed, so that no address of a person stands in the cache.
    account = hashlib.sha256(subject.encode()).hexdigest()
    names = (f"mail/account/{account}", f"mail/address/{client_network(request._request)}")
    counts = [counters().count(name, limit) for name in names]
    if exceeded := [count.resets_in for count in counts if count.exceeded]:
        raise rate_limited(max(exceeded), "Too many letters were asked for. Try again later.")


def _page(**words: Any) -> HttpResponse:
    return HttpResponse(page(**words), headers={"Content-Security-Policy": POLICY})
