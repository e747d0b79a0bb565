"""Every refusal as problem+json (RFC 9457) with a code word that programs can rely on."""

from typing import Any

from django.http import Http404
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from apps.core.requests import request_id

CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    429: "too_many",
}


class ProblemRenderer(JSONRenderer):
    media_type = "application/problem+json"


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's handler for our views; None leaves an unknown error to Django's 500."""
    answer = exception_handler(error, context)
    if answer is None:
        return None
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    given = error.get_codes() if isinstance(error, exceptions.APIException) else None
    general = {"not_authenticated", "permission_denied", "not_found", "throttled", "error", "authentication_failed"}
    code = given if isinstance(given, str) and given not in general else CODES.get(answer.status_code, "error")
    detail = answer.data.get("detail", "") if isinstance(answer.data, dict) else ""
    answer.data = {
        "type": "about:blank",
        "title": answer.status_text,
        "status": answer.status_code,
        "code": code,
        "detail": str(detail),
        "request_id": request_id(context["request"]),
    }
    answer.content_type = ProblemRenderer.media_type
    return answer
