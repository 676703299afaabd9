"""What to do when an alert comes, as a page: the runbook of the repository, with an anchor for each of its sections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["Runbook", "read", "runbook_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """``sections`` are anchors and titles: a section's anchor is its title in lower case."""

    sections: tuple[tuple[str, str], ...]
    body: SafeString


def read(text: str) -> Runbook:
    """
    Of Markdown. HTML in it is shown as text; a link that leads out of the page is its words alone, since what it leads
    to is not here. The first heading is left out: the page has one.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    if tokens and tokens[0].tag == "h1":
        del tokens[:3]
    sections = []
    for opened, words in pairwise(tokens):
        if opened.type == "heading_open" and opened.tag == "h2":
            opened.attrSet("id", words.content.lower())
            sections.append((words.content.lower(), words.content))
    for token in tokens:
        if token.children:
            token.children = _without_ways_out(token.children)
    # Made by the renderer, which escapes what it was given.
    return Runbook(
        sections=tuple(sections),
        body=mark_safe(reader.renderer.render(tokens, reader.options, {})),  # noqa: S308
    )


def _without_ways_out(tokens: list[Token]) -> list[Token]:
    kept, dropped = [], False
    for token in tokens:
        if token.type == "link_open":
            dropped = not str(token.attrGet("href")).startswith("#")
            token.attrSet("class", "console-link")
        if not (dropped and token.type in {"link_open", "link_close"}):
            kept.append(token)
    return kept


@require_safe
def runbook_page(request: HttpRequest) -> HttpResponse:
    """The same in every process: it comes with the code."""
    context = {**admin.site.each_context(request), "title": "Runbook", "runbook": _written(settings.RUNBOOK)}
    return TemplateResponse(request, "console/runbook.html", context)


@cache
def _written(path: Path) -> Runbook:
    return read(path.read_text(encoding="utf-8"))
