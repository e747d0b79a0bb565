import hashlib
import json
from collections.abc import Callable
from typing import Any, cast

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from apps.api.errors import problem_response
from apps.api.status import one_client, overall
from apps.api.tokens import HasToken, Machine, TokenAuthentication
from apps.sync.deadman import watch_now_and_then


class TokenThrottle(UserRateThrottle):
    """Counted per token and process; a dashboard that asks every second stays below it."""

    rate = "120/min"
    scope = "token"


class TokenView(APIView):
    """Answers inside the scope of the token's bureau; unchanged answers are 304."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (HasToken,)
    throttle_classes = (TokenThrottle,)

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problem_response

    def answer(self, request: Request, build: Callable[[Machine], dict[str, Any] | None]) -> Response:
        machine = cast("Machine", request.user)  # HasToken lets nobody else in
        watch_now_and_then()
        with machine.scope():
            data = build(machine)
            if data is None:
                raise NotFound
        still = {name: value for name, value in data.items() if name != "at"}
        tag = f'"{hashlib.sha256(json.dumps(still, sort_keys=True).encode()).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers=headers)
        return Response(data, headers=headers)


class OverallStatus(TokenView):
    def get(self, request: Request) -> Response:
        return self.answer(request, lambda machine: overall(machine.clients()))


class ClientStatus(TokenView):
    def get(self, request: Request, number: str) -> Response:
        return self.answer(request, lambda machine: one_client(machine.clients(), number))


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """Whether work can be done: 503 names the part that fails, never why in detail."""
    parts = {"database": _works(_database), "migrations": False}
    parts["migrations"] = parts["database"] and _works(_migrated)
    failing = [name for name, works in parts.items() if not works]
    if not failing:
        watch_now_and_then()  # where all workers are dead, this is who notices
    answer = {"status": "failing" if failing else "ok", "failing": failing}
    return JsonResponse(answer, status=503 if failing else 200)


def _works(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001 - whatever it is, the answer is the same
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() is not None


def _migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
