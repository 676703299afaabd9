"""Bodies of users, in and out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator, NumericPasswordValidator
from django.core.validators import EmailValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contracts.users import ROLES
from runtime.http.serializers import FlagField, IdField, ListField, MomentField, StrictSerializer, TextField


@extend_schema_field(OpenApiTypes.EMAIL)
class EmailField(TextField):
    """An e-mail address, in lower case afterwards: nobody has two accounts by spelling."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)
        self.validators.append(EmailValidator())

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()


class PasswordField(TextField):
    """A password that somebody chooses."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_length=8,
            max_length=128,
            trim_whitespace=False,
            validators=[CommonPasswordValidator().validate, NumericPasswordValidator().validate],
            help_text="8 to 128 characters; not a common password, not digits alone.",
            **kwargs,
        )


class RegisterSerializer(StrictSerializer):
    email = EmailField()
    name = TextField(max_length=200)
    password = PasswordField()


class ChangeSerializer(StrictSerializer):
    email = EmailField(required=False, help_text="One's own only; it has to be confirmed again.")
    name = TextField(required=False, max_length=200)
    password = PasswordField(required=False)
    current_password = TextField(
        required=False, max_length=128, trim_whitespace=False, help_text="Needed with a new password."
    )
    active = FlagField(required=False, help_text="Needs the permission users.change_any.")


class AddressSerializer(StrictSerializer):
    email = EmailField()


class MailTokenSerializer(StrictSerializer):
    token = TextField(max_length=200, help_text="From the letter: what stands behind # in its link.")


class NewPasswordSerializer(MailTokenSerializer):
    password = PasswordField()


class SignInSerializer(StrictSerializer):
    email = TextField(max_length=254)
    password = TextField(max_length=128, trim_whitespace=False)


class RefreshSerializer(StrictSerializer):
    refresh = TextField(max_length=4096)


class TokenPairSerializer(StrictSerializer):
    access = TextField(help_text="For the Authorization header; good for 15 minutes.")
    refresh = TextField(help_text="For a new pair, once; good for 14 days.")


class UserSerializer(StrictSerializer):
    id = IdField()
    email = TextField()
    name = TextField()
    roles = ListField(child=TextField())
    active = FlagField()
    email_verified = FlagField()
    created_at = MomentField()


class RolesSerializer(StrictSerializer):
    roles = ListField(child=serializers.ChoiceField(choices=sorted(ROLES)), max_length=len(ROLES))


class RoleSerializer(StrictSerializer):
    name = TextField()
    permissions = ListField(child=TextField())


class RoleListSerializer(StrictSerializer):
    items = RoleSerializer(many=True)
