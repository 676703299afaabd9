"""The catalogue's way out of the console and into it: a file of products, checked, shown, and brought in once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.inventory import catalogue
from apps.inventory.models import CatalogueImport, Product
from apps.inventory.service import SERVICE
from runtime.console.actions import Action
from runtime.console.exporting import Export
from runtime.console.forms import ActionForm, text
from runtime.console.panels import Panel
from runtime.console.uploading import Checked, Upload

SHOWN = 100
_WIDEST = 120


class ExportProducts(Export):
    permission = "inventory.view_any"
    file = "products"
    columns = catalogue.COLUMNS

    def cells(self, row: Product) -> Sequence[object]:
        return catalogue.cells_of(row, row.stock)


class ImportProducts(Upload):
    permission = "inventory.change_catalogue"
    most_bytes = catalogue.MOST_BYTES
    accept = ".csv,text/csv"
    rules = (
        f"A CSV file in UTF-8, with commas, of at most {catalogue.MOST_LINES:,} lines and "
        f"{catalogue.MOST_BYTES // 1024 // 1024} MiB, as Export writes it.",
        f"Its first line names the columns: {', '.join(catalogue.COLUMNS)}. Only sku has to be there; what is left out "
        "stays as it is.",
        f"A new product needs a name of at most {catalogue.LONGEST_NAME} characters and a price in "
        f"{settings.SHOP_CURRENCY} with at most two decimals. It is active (true or false) unless the file says "
        f"otherwise. A description has at most {catalogue.LONGEST_DESCRIPTION:,} characters.",
        "Stock is not imported: onHand and available are for reading, and units come by Restock.",
        "The file is checked first and nothing is done: you see what it would change, or what is wrong with it.",
    )

    def check(self, data: bytes, *, file: str, operator: UUID) -> Checked:
        plan, kept = SERVICE.check_import(data=data, file=file, by=operator)
        if kept is not None:
            return Checked(record=kept, then=BringIn.name)
        if not plan.faults:
            return Checked(sentences=(f"All of its {plan.unchanged:,} products are as they are here.",))
        return Checked(
            bad=True,
            sentences=(
                f"{_many(len(plan.faults), 'thing is', 'things are')} wrong with it. Nothing was changed: mend the "
                "file, and check it again.",
                f"Of the lines that are good, {_counts(len(plan.new), len(plan.changed), plan.unchanged)}.",
            ),
            panels=(_faults(plan), *plan_panels(plan.new, plan.changed)),
        )


class BringInForm(ActionForm):
    reason = text("Reason", longest=200, help_text="Say, the season's prices.")


class BringIn(Action[CatalogueImport]):
    name = "bring-in"
    title = "Bring in"
    icon = "publish"
    permission = "inventory.change_catalogue"
    form = BringInForm

    def is_legal(self, row: CatalogueImport) -> bool:
        return row.done_at is None

    def facts(self, row: CatalogueImport) -> Mapping[str, Any]:
        return {
            "file": row.file,
            "new": row.new,
            "changed": row.changed,
            "unchanged": row.unchanged,
            "done": row.done_at is not None,
        }

    def preview(self, row: CatalogueImport) -> Sequence[str]:
        return (
            f"The file was checked, and nothing was done yet: {_counts(row.new, row.changed, row.unchanged)}.",
            "New products have no stock: it comes by Restock. Orders that were placed keep the price they had.",
            "All of it is done, or nothing: where somebody else changes one of these products before, that is refused, "
            "and they are named.",
        )

    def panels(self, row: CatalogueImport) -> Sequence[Panel]:
        return plan_panels(row.plan["new"], row.plan["changed"])

    def run(self, row: CatalogueImport, given: Mapping[str, Any], *, key: str) -> str:
        SERVICE.bring_in(key=key, import_id=row.pk)
        return f"{row.file} is brought in: {_counts(row.new, row.changed, row.unchanged)}."


# --- What a file would do, in tables ---------------------------------------------------------------------------------


def plan_panels(new: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """The first so many of the new products and of the changes."""
    changes = [
        (entry["sku"], name, *_apart(_cell(name, entry["from"][name]), _cell(name, to)))
        for entry in changed
        for name, to in entry["to"].items()
    ]
    added = [
        (entry["sku"], entry["name"], _cell("price", entry["price"]), _cell("active", entry["active"])) for entry in new
    ]
    panels = []
    if changes:
        panels.append(_first("What changes", ("Sku", "Field", "From", "To"), changes))
    if added:
        panels.append(_first("What is new", ("Sku", "Name", "Price", "Active"), added))
    return panels


def _faults(plan: catalogue.Plan) -> Panel:
    rows = [(fault.line, fault.column, fault.why) for fault in plan.faults]
    return _first("What is wrong", ("Line", "Column", "Why"), rows)


def _first(title: str, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Panel:
    more = f"the first {SHOWN} of {len(rows):,}; {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else f"{len(rows):,}"
    return Panel(title=title, headers=headers, rows=rows[:SHOWN], aside=f"({more})")


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value} {settings.SHOP_CURRENCY}" if name == "price" else str(value)


def _apart(before: str, after: str) -> tuple[str, str]:
    """Long texts from shortly before where they differ."""
    if max(len(before), len(after)) <= _WIDEST:
        return before, after
    same = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    start = max(0, (min(len(before), len(after)) if same is None else same) - _WIDEST // 4)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(words: str, start: int) -> str:
    end = start + _WIDEST
    return f"{'…' if start else ''}{words[start:end]}{'…' if end < len(words) else ''}"


def _counts(new: int, changed: int, unchanged: int) -> str:
    return f"{new:,} new, {changed:,} changed, {unchanged:,} unchanged"


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
