"""What every view is made of."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.response import Response
from rest_framework.views import APIView

from contracts._base import Rejected

__all__ = ["View"]


class View(APIView):
    """
    One address. Whoever calls has to be signed in, unless ``permission_classes`` says otherwise.

    ``problem_status`` gives a contract's refusals a status of their own (409 where nothing is said):
    ``problem_status = {UserInactive: 403}``.
    """

    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]
    problem_status: ClassVar[dict[type[Rejected], int]] = {}

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """RFC 9110, 9.3.7: DRF adds the Allow header."""
        return Response(status=204)
