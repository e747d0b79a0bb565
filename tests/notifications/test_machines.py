"""API tokens and webhooks that named a client before it was restricted."""

from typing import Any

import pytest

from apps.audit.models import AuditLine
from apps.clients.models import ApiToken, Client
from apps.core.scope import system_scope
from apps.notifications.models import Webhook
from tests.factories import ClientFactory, MembershipFactory, OrganisationFactory
from tests.office.bureau import signed_in


@pytest.fixture(autouse=True)
def _scope(db: None) -> Any:
    with system_scope("tests"):
        yield


@pytest.fixture
def client() -> Client:
    made: Client = ClientFactory(organisation=OrganisationFactory())
    return made


@pytest.fixture
def machines(client: Client) -> list[Any]:
    """A token and a webhook that name the client and another one."""
    usual = ClientFactory(organisation=client.organisation)
    made = [
        ApiToken.objects.create(organisation=client.organisation, name="Board", digest="x"),
        Webhook.objects.create(organisation=client.organisation, name="Tickets"),
    ]
    for machine in made:
        machine.clients.set([client, usual])
    return made


def sees(machine: Any, client: Client) -> bool:
    return bool(machine.seen_clients().filter(pk=client.pk).exists())


def test_a_client_that_becomes_restricted_is_taken_off_what_named_it_before(
    client: Client, machines: list[Any]
) -> None:
    browser = signed_in(MembershipFactory(organisation=client.organisation, role="owner").user)
    page = f"/admin/clients/client/{client.pk}/access/"
    before = browser.get(page).content.decode()
    assert "API token “Board”, webhook “Tickets”" in before

    after = browser.post(f"{page}restrict/", {"restricted": "1"}, follow=True).content.decode()

    assert [(sees(machine, client), machine.clients.count()) for machine in machines] == [(False, 1)] * 2
    assert "Taken off: API token “Board”, webhook “Tickets”." in after
    lines = AuditLine.objects.filter(action__endswith="clients_dropped").values_list("action", "subject", "details")
    assert list(lines.order_by("pk")) == [
        ("apitoken.clients_dropped", "Board", {"clients": 1}),
        ("webhook.clients_dropped", "Tickets", {"clients": 1}),
    ]


def test_what_named_people_added_since_stays(client: Client, machines: list[Any]) -> None:
    browser = signed_in(MembershipFactory(organisation=client.organisation, role="owner").user)
    page = f"/admin/clients/client/{client.pk}/access/"
    browser.post(f"{page}restrict/", {"restricted": "1"}, follow=True)
    token, _webhook = machines
    token.clients.add(client)

    again = browser.post(f"{page}restrict/", {"restricted": "1"}, follow=True).content.decode()

    assert sees(token, client)
    assert "API token “Board”" not in again
    assert AuditLine.objects.filter(action="client.restricted").count() == 1
    browser.post(f"{page}restrict/", {"restricted": "0"})
    assert sees(token, client)


def test_nothing_is_taken_off_where_restricting_fails(
    client: Client, machines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: a client is never restricted and still told of."""
    from apps.notifications import machines as module

    def broken(**_told: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(module, "note", broken)
    owner = MembershipFactory(organisation=client.organisation, role="owner").user

    with pytest.raises(RuntimeError):
        module.restrict(client=client, restricted=True, actor=owner)

    assert not Client.objects.get(pk=client.pk).restricted
    assert all(sees(machine, client) for machine in machines)
