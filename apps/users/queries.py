"""What users looks up for the console. Nothing here changes anything."""

from __future__ import annotations

from django.db.models import Count, Q

from apps.users.models import User
from contracts.users import ROLES

ALIAS = "users"


def count_accounts() -> dict[str, int]:
    """How many active accounts there are (``active``), and how many of these have each role."""
    of_role = {role: Count("pk", filter=Q(roles__contains=[role])) for role in ROLES}
    return User.objects.using(ALIAS).filter(active=True).aggregate(active=Count("pk"), **of_role)
