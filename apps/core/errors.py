"""An uncaught error: its page, which tells nothing but the id under which the log has it, and what tracebacks show."""

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.debug import SafeExceptionReporterFilter

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


class PlacesOnly(SafeExceptionReporterFilter):
    """A traceback says where, never with what, in mails to an operator and on the page that DEBUG brings.

    Django hides what is marked as sensitive; but frames of any provider hold keys, tokens and answers under names of
    its own, and a form that fails holds what was typed into it.
    """

    def get_traceback_frame_variables(self, request: Any, tb_frame: FrameType) -> ItemsView[str, Any]:  # noqa: ARG002 - Django's signature
        return {}.items()

    def get_post_parameters(self, request: Any) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request is not None else {}
