"""Processes of their own that use a connection's tokens: started by tests. Prints their exit codes as JSON.

One process loads Django and forks the others before it has opened a database or a wire: 64 start within a second.
"""

import json
import os
import signal
import sys
import traceback
from dataclasses import replace

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


def forked(what: str, connection_id: int, times: int) -> int:
    """The number of a new process that works, and ends with 0 where nothing was raised."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        with system_scope("tests"):
            main(what, connection_id, times)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    all_providers()
    numbers = [forked(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])) for _ in range(int(sys.argv[4]))]
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]))
