"""What every page of office shares: the admin's frame, and looking things up within the reader's bureaus."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from apps.core.scope import organisation_of
from apps.organisations.models import User


def page(request: HttpRequest, template: str, title: Any, **context: Any) -> TemplateResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})


def allowed(request: HttpRequest, right: str, organisation_id: int | None) -> User:
    user = request.user
    if not isinstance(user, User) or not user.may(right, organisation_id):
        raise PermissionDenied
    return user


def found(request: HttpRequest, right: str, rows: Any, pk: int) -> Any:
    """The row, 404 where the reader does not see it, 403 where the reader's role does not reach."""
    row: Model = get_object_or_404(rows, pk=pk)
    allowed(request, right, organisation_of(row))
    return row
