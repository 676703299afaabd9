"""HTTP of users."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.users import serializers
from apps.users.service import SERVICE, BadRefreshToken
from contracts.users import ROLES, BadCredentials, UserUnknown
from runtime.http.attempts import Attempts
from runtime.http.pages import PAGE_PARAMETERS, page_answer, page_of, read_page
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
    problem_status = {UserUnknown: 404}

    @extend_schema(responses=serializers.UserSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """One account: one's own, or anybody's with the permission users.view_any."""
        caller = principal_of(request)
        if caller.id != str(user_id) and not caller.may("users.view_any"):
            raise UserUnknown
        return Response(serializers.UserSerializer(SERVICE.account(user_id=user_id)).data)


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
