"""The overview."""

from django.http import HttpResponse

from console.access import Permission, requires
from console.http import Request, page


@requires(Permission.VIEW)
def overview(request: Request) -> HttpResponse:
    return page(request, "console/overview.html", {})
