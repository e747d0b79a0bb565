"""Processes of their own that use a connection's tokens: started by tests. Prints their exit codes as JSON.

One process loads Django and forks the others before it has opened a database or a wire: 64 start within a second.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from multiprocessing import get_context

import django

django.setup()

from django.conf import settings  # noqa: E402 - Django first

from apps.connectors.grants import GrantTokens  # noqa: E402
from apps.connectors.models import Connection  # noqa: E402
from apps.connectors.registry import all_providers  # noqa: E402
from apps.connectors.sdk.declaration import LimitScope, RateLimit  # noqa: E402
from apps.connectors.sdk.failures import ConnectorError  # noqa: E402
from apps.connectors.sdk.session import Session  # noqa: E402
from apps.connectors.sessions import open_session  # noqa: E402
from apps.core.scope import system_scope  # noqa: E402

LIMITS = {
    "limited": (RateLimit(scope=LimitScope.CREDENTIAL, count=25, seconds=1, sliding=True),),
    "alone": (RateLimit(scope=LimitScope.COMPANY, concurrency=1),),
}


def use(session: Session) -> None:
    """Until the vendor says that its access tokens have expired often enough."""
    while True:
        try:
            if session.read("/company").data["done"]:
                return
        except ConnectorError as error:
            if error.facts.get("status") != "401":  # a token that others have used up meanwhile
                raise


def main(what: str, connection_id: int, times: int) -> None:
    settings.KONTOR_GRANT_LEASE_SECONDS = 1.0 if what == "die" else 60.0
    session = open_session(Connection.objects.select_related("connector", "client").get(pk=connection_id))
    session.record = lambda _exchange: None
    session.provider = replace(session.provider, limits=LIMITS.get(what, ()))
    if what == "die":
        GrantTokens._kept = lambda *_args: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        session.tokens_in_use()
    elif what == "use":
        use(session)
    else:
        for _turn in range(times):
            session.read("/alone" if what == "alone" else "/company")


def scoped(what: str, connection_id: int, times: int) -> None:
    with system_scope("tests"):
        main(what, connection_id, times)


if __name__ == "__main__":
    all_providers()
    given = (sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    workers = [get_context("fork").Process(target=scoped, args=given) for _ in range(int(sys.argv[4]))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.stdout.write(json.dumps([worker.exitcode for worker in workers]))
