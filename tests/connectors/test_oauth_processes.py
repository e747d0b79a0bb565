"""OAuth and limits with several processes: one renewal at a time, none lost unseen, no call too many."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apps.connectors.grants import GrantTokens, to_text
from apps.connectors.models import Connection, ConnectorSecret, OAuthGrant
from apps.connectors.sdk.failures import ConnectorError, Failure
from apps.connectors.sdk.ports import Tokens
from apps.connectors.sessions import open_session
from apps.core.scope import system_scope
from tests.conftest import ROOT, Endurance, Manage
from tests.connectors.oauth_vendor import CLIENT_ID, CLIENT_SECRET, NUMBER, SLUG, OAuthVendor, oauth_vendor
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory

__all__ = ["oauth_vendor"]


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def granted(vendor: OAuthVendor, *, ended: bool = False) -> Connection:
    """A connection with a consent; `ended`: its access token has run out."""
    client = ClientFactory(organisation_number=NUMBER)
    connector = ConnectorFactory(
        organisation=client.organisation, provider=SLUG, auth="oauth_code", values={"client_id": CLIENT_ID}
    )
    ConnectorSecret.objects.create(connector=connector, fields=json.dumps({"client_secret": CLIENT_SECRET}))
    made: Connection = ConnectionFactory(client=client, connector=connector, company_key="", pinned_company_id="")
    given = vendor.issue()
    tokens = Tokens(
        access_token=given["access_token"],
        refresh_token=given["refresh_token"],
        expires_at=datetime.now(UTC) + timedelta(hours=-1 if ended else 1),
        refresh_expires_at=datetime.now(UTC) + timedelta(days=45),
    )
    OAuthGrant.objects.create(connection=made, tokens=to_text(tokens))
    return made


def together(manage: Manage, processes: int, what: str, connection: Connection, times: int = 0) -> list[int]:
    """Exit codes of so many workers at once."""
    command = [sys.executable, "-m", "tests.connectors.oauth_worker", what]
    command += [str(connection.pk), str(times), str(processes)]
    environment = manage.environment | {name: value for name, value in os.environ.items() if "CONNECTOR" in name}
    environment["KONTOR_PROVIDER_PACKAGES"] = os.environ["KONTOR_PROVIDER_PACKAGES"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, timeout=1800, check=True
    )
    codes: list[int] = json.loads(done.stdout)
    assert len(codes) == processes
    return codes


@pytest.mark.soak
def test_as_many_refreshes_as_expiries_and_none_refused(
    manage: Manage, oauth_vendor: OAuthVendor, endurance: Callable[..., Endurance]
) -> None:
    job = endurance(short=100, full=1000)
    processes = 8 if job.planned == 100 else 64
    oauth_vendor.uses, oauth_vendor.expiries = processes, job.planned
    connection = granted(oauth_vendor)

    codes = together(manage, processes, "use", connection)

    job.done = oauth_vendor.refreshes
    job.failures = oauth_vendor.refused + sum(code != 0 for code in codes)
    assert (oauth_vendor.expired, oauth_vendor.refreshes, oauth_vendor.refused) == (job.planned, job.planned, 0)
    assert OAuthGrant.objects.get(pk=connection.pk).version == job.planned


def test_killed_between_answer_and_commit_ends_in_a_consent_that_is_told_to_be_lost(
    manage: Manage, oauth_vendor: OAuthVendor
) -> None:
    connection = granted(oauth_vendor, ended=True)

    codes = together(manage, 1, "die", connection)

    assert codes == [-9]
    assert oauth_vendor.refreshes == 1
    row = OAuthGrant.objects.get(pk=connection.pk)
    assert (row.in_flight, row.version) == (True, 0)
    for _try in range(2):  # it is told so again, too
        with pytest.raises(ConnectorError) as caught:
            open_session(connection).tokens_in_use()
        assert caught.value.failure is Failure.RECONNECT
        assert caught.value.remedy.code == "fake_oauth.consent_lost"
    assert GrantTokens(connection.pk).load() is not None


@pytest.mark.soak
def test_a_sliding_limit_is_never_passed(
    manage: Manage, oauth_vendor: OAuthVendor, endurance: Callable[..., Endurance]
) -> None:
    job = endurance(short=100, full=1000)
    oauth_vendor.limit = (25, 1.0)
    connection = granted(oauth_vendor)

    codes = together(manage, 4, "limited", connection, job.planned // 4)

    job.done = len([one for one in oauth_vendor.heard if one.path == "/api/company"])
    job.failures = oauth_vendor.too_many
    assert codes == [0] * 4


def test_the_vendor_does_refuse_without_the_limiter(manage: Manage, oauth_vendor: OAuthVendor) -> None:
    oauth_vendor.limit = (25, 1.0)
    connection = granted(oauth_vendor)

    together(manage, 4, "unlimited", connection, 40)

    assert oauth_vendor.too_many > 0


def test_one_call_at_a_time_where_the_vendor_takes_no_more(manage: Manage, oauth_vendor: OAuthVendor) -> None:
    connection = granted(oauth_vendor)

    codes = together(manage, 4, "alone", connection, 10)

    assert codes == [0] * 4
    assert oauth_vendor.most_at_once == 1
