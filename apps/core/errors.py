"""The page of an uncaught error. It says nothing about the error but the id under which the log has it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core.requests import request_id


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a page for people, problem+json for programs."""
    reference = request_id(request)
    if request.path.startswith("/api/"):
        told = {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "code": "internal_error",
            "detail": _("Something went wrong in Kontor. The request can be found in the log by its id."),
            "request_id": reference,
        }
        return JsonResponse(told, status=500, content_type="application/problem+json")
    # Without the request: no context processor may fail once more.
    page = render_to_string("500.html", {"reference": reference, "style": f"{settings.STATIC_URL}office/error.css"})
    return HttpResponse(page, status=500)
