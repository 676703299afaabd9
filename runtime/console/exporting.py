"""What a list shows, all of it, as a file: row by row, whatever their number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase, HttpResponseNotAllowed

from runtime.codec.sheets import line_of
from runtime.console.doors import Door
from runtime.databases.clock import database_time

__all__ = ["Export"]

ROWS_AT_A_TIME = 500


class Export(Door):
    """
    A CSV file of the rows that the list's search and filters leave, in the order of their primary keys. Each row is as
    it was when it was read; no more than a few hundred are in memory.
    """

    name = "export"
    title = "Export"
    icon = "download"
    takes_question = True
    file: ClassVar[str]
    """What it is called, before the date."""
    columns: ClassVar[Sequence[str]]

    @abstractmethod
    def cells(self, row: Any) -> Sequence[object]:
        """One for each column."""

    def view(self, request: HttpRequest, pages: Any) -> HttpResponseBase:
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        try:
            rows = pages.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(pages.address_of(None))
        response: HttpResponseBase = (
            HttpResponse() if request.method == "HEAD" else StreamingHttpResponse(self._file(rows))
        )
        response["Content-Type"] = "text/csv; charset=utf-8; header=present"
        name = f"{self.file}-{database_time(pages.domain):%Y-%m-%d}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _file(self, rows: QuerySet[Any]) -> Iterator[str]:
        yield line_of(self.columns)
        slice = list(rows.order_by("pk")[:ROWS_AT_A_TIME])
        while slice:
            yield "".join(line_of(self.cells(row)) for row in slice)
            if len(slice) < ROWS_AT_A_TIME:
                return
            slice = list(rows.order_by("pk").filter(pk__gt=slice[-1].pk)[:ROWS_AT_A_TIME])
