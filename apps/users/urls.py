"""Addresses of users, below /api/."""

from django.urls import path

from apps.users import views

urlpatterns = [
    path("users", views.UserListView.as_view()),
    path("users/token", views.TokenView.as_view()),
    path("users/token/refresh", views.RefreshView.as_view()),
    path("users/token/revoke", views.RevokeView.as_view()),
    path("users/password-reset", views.PasswordResetView.as_view()),
    path("users/password-reset/confirm", views.PasswordResetConfirmView.as_view()),
    path("users/verify-email", views.VerifyEmailView.as_view()),
    path("users/verify-email/resend", views.ResendVerificationView.as_view()),
    path("users/me", views.MeView.as_view()),
    path("users/roles", views.RoleListView.as_view()),
    path("users/<uuid:user_id>", views.UserView.as_view()),
    path("users/<uuid:user_id>/roles", views.UserRolesView.as_view()),
]
