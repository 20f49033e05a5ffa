"""Long lists in pages."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

PER_PAGE = 50


def paginate(request: HttpRequest, rows: QuerySet[Any], per_page: int = PER_PAGE) -> Page[Any]:
    """The page that `?page=` asks for; anything odd means the first or the last one. Costs two queries."""
    return Paginator(rows, per_page).get_page(request.GET.get("page"))
