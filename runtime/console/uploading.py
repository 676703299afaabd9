"""
A file that somebody brings: checked first, with nothing done, and what is wrong with it shown line by line.

What is good leads to a record, where an action shows what it will do and does it once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse

from runtime.console.doors import Door
from runtime.console.panels import Panel

__all__ = ["Checked", "Upload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """
    What came of a look at a file: a record to go on from (its page's action ``then``), or what there is to say, with
    ``bad`` where the file cannot be taken as it is.
    """

    record: Model | None = None
    then: str = ""
    sentences: Sequence[str] = ()
    panels: Sequence[Panel] = ()
    bad: bool = False


class UploadForm(forms.Form):
    file = forms.FileField(label="File", max_length=1_000, widget=forms.FileInput(attrs={"class": "console-file"}))

    def __init__(self, *given: Any, accept: str, most_bytes: int) -> None:
        super().__init__(*given)
        self.fields["file"].widget.attrs["accept"] = accept
        self._most_bytes = most_bytes

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if file.size is None or file.size > self._most_bytes:
            raise forms.ValidationError(f"The file has more than {self._most_bytes:,} bytes: split it.")
        return file


class Upload(Door):
    """Subclasses say what may come, and check it."""

    name = "import"
    title = "Import"
    icon = "upload_file"
    most_bytes: ClassVar[int]
    accept: ClassVar[str]
    """Kinds of file, as browsers want them."""
    rules: ClassVar[Sequence[str]]
    """What may come, a sentence each."""

    @abstractmethod
    def check(self, data: bytes, *, file: str, operator: UUID) -> Checked:
        """``file`` is what it was called. Changes nothing but what is kept of the check."""

    def view(self, request: HttpRequest, pages: Any) -> HttpResponseBase:
        if request.method in {"GET", "HEAD"}:
            return self._page(request, pages, self._form())
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        form = self._form(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(request, pages, form, status=422)
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        checked = self.check(file.read(), file=str(file.name)[:200], operator=UUID(str(request.user.pk)))
        if checked.record is not None:
            options = checked.record._meta
            route = f"admin:{options.app_label}_{options.model_name}_{checked.then}"
            return HttpResponseRedirect(reverse(route, args=[checked.record.pk]))
        return self._page(request, pages, self._form(), checked=checked, status=422 if checked.bad else 200)

    def _form(self, *given: Any) -> UploadForm:
        return UploadForm(*given, accept=self.accept, most_bytes=self.most_bytes)

    def _page(
        self, request: HttpRequest, pages: Any, form: UploadForm, *, checked: Checked | None = None, status: int = 200
    ) -> HttpResponse:
        context = {
            **pages.admin_site.each_context(request),
            "title": self.title,
            "trail": [*pages.trail(None), (self.title, request.path)],
            "door": self,
            "form": form,
            "checked": checked,
            "back": pages.address_of(None),
        }
        return TemplateResponse(request, "console/upload.html", context, status=status)
