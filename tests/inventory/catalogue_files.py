"""Files of products, sent to the console as a browser sends them."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from apps.inventory.models import CatalogueImport, Product
from tests.operators import Operator

PRODUCTS = "/admin/inventory/product/"


def exported(operator: Operator, **query: str) -> str:
    answer = operator.get(f"{PRODUCTS}export/", query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def sent(operator: Operator, text: str | bytes, name: str = "products.csv") -> HttpResponse:
    data = text if isinstance(text, bytes) else text.encode()
    return operator.post(f"{PRODUCTS}import/", {"file": SimpleUploadedFile(name, data, "text/csv")})


def wrong(answer: HttpResponse) -> list[tuple[object, ...]]:
    """Line, column and reason of all that the page names."""
    assert answer.status_code == 422, answer.content.decode()
    assert CatalogueImport.objects.using("inventory").count() == 0
    (panel, *_) = answer.context["checked"].panels
    assert panel.title == "What is wrong"
    return [tuple(row) for row in panel.rows]


def brought(operator: Operator, text: str, **more: str) -> HttpResponse:
    """Checked, looked at, and done."""
    answer = sent(operator, text)
    assert answer.status_code == 302, wrong(answer)
    return operator.act(answer["Location"], reason="The season.", **more)


def product(sku: str) -> tuple[str, str, str, bool]:
    row = Product.objects.using("inventory").get(pk=sku)
    return row.name, row.description, str(row.price), row.active


def plain(shelf, sku: str, **fields: object) -> None:
    shelf.product(sku, stock=3)
    Product.objects.using("inventory").filter(pk=sku).update(**fields)
