"""Every page answers every role as far as it may see it, shows nothing of another bureau, and no secret."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client as Browser

from apps.core.scope import system_scope
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory, UserFactory
from tests.office.bureau import SECRET, Bureau, run_of, signed_in, trouble

LISTS = sorted(f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry)
MANAGERS = {"owner", "manager"}
STAFF = {*MANAGERS, "accountant", "reviewer", "read_only"}
# Who may open it, where not everybody may.
ONLY = {
    "/admin/organisations/user/": MANAGERS,
    "/admin/clients/apitoken/": MANAGERS,
    "/admin/notifications/webhook/": MANAGERS,
    "/admin/organisations/membership/": STAFF - {"read_only"},
    "/admin/connectors/connector/": STAFF - {"read_only"},
    "/admin/connectors/exchange/": STAFF - {"read_only"},
    "/admin/audit/auditline/": STAFF - {"read_only"},
    "/admin/connectors/connection/": STAFF,
    "/admin/connections/": STAFF,
    "/admin/flows/feed/": STAFF,
    "/admin/sync/run/": STAFF,
    "/admin/notifications/problem/": STAFF,
    "/admin/ledger/finding/": STAFF,
    "/admin/ledger/proof/": STAFF,
    "/admin/ledger/ledgerfile/": STAFF,
}


def pages(bureau: Bureau) -> list[str]:
    client, connection = bureau.client.pk, bureau.connection
    return [
        "/admin/",
        f"/admin/clients/client/{client}/change/",
        f"/admin/clients/client/{client}/progress/",
        f"/admin/clients/client/{client}/balances/",
        f"/admin/clients/client/{client}/balances/?show=sheet",
        f"/admin/clients/client/{client}/balances/?show=profit",
        f"/admin/clients/client/{client}/balances/1920/",
        f"/admin/connections/{connection.pk}/",
        f"/admin/ledger/voucher/{bureau.voucher.pk}/change/",
        f"/admin/sync/run/{run_of(bureau.feed).pk}/change/",
        f"/admin/notifications/problem/{trouble(connection).pk}/change/",
        f"/admin/flows/feed/{bureau.feed.pk}/change/",
    ]


@pytest.mark.parametrize("role", ["owner", "manager", "accountant", "reviewer", "read_only", "auditor"])
def test_pages_answer_every_role(bureau: Bureau, role: str) -> None:
    browser = signed_in(bureau.member(role))

    for address in [*pages(bureau), *LISTS]:
        answer = browser.get(address)

        hidden = any(address.startswith(start) and role not in may for start, may in ONLY.items())
        assert answer.status_code == (403 if hidden else 200), address
        assert SECRET not in answer.content.decode()


def test_pages_answer_a_superuser(bureau: Bureau, other: Bureau) -> None:
    browser = signed_in(UserFactory(is_superuser=True))

    for address in [*pages(bureau), *pages(other), *LISTS]:
        assert browser.get(address).status_code == 200, address


def test_anonymous_people_are_sent_to_the_sign_in(bureau: Bureau) -> None:
    for address in [*pages(bureau), *LISTS]:
        answer = Browser().get(address)

        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/admin/login/")


def test_a_figure_that_is_no_number_is_not_found(bureau: Bureau, owner: Browser) -> None:
    """`"²".isdigit()` holds, and `int("²")` fails."""
    own = f"/admin/clients/client/{bureau.client.pk}"
    for kind in ("clients/client", "notifications/problem", "notifications/webhook", "sync/run"):
        assert owner.get(f"/admin/{kind}/²/change/").status_code == 404, kind
    assert owner.post(f"{own}/access/responsible/", {"membership": "²"}).status_code == 404
    assert owner.get(f"{own}/balances/?first=²&last=²").status_code == 200
    assert owner.get("/admin/connectors/exchange/?run_id=²").status_code < 500


def test_staff_of_no_bureau_see_nothing(bureau: Bureau) -> None:
    browser = signed_in(UserFactory())

    for address in [*pages(bureau)[1:], *LISTS]:
        assert browser.get(address).status_code in {302, 403, 404}, address


def test_rows_of_another_bureau_are_not_found(bureau: Bureau, other: Bureau, owner: Browser) -> None:
    for address in pages(other)[1:]:
        answer = owner.get(address, follow=True)

        assert other.client.name not in answer.content.decode(), address
        assert answer.status_code == 404 or answer.redirect_chain[-1][0] == "/admin/", address


def test_buttons_on_another_bureau_do_nothing(bureau: Bureau, other: Bureau, owner: Browser) -> None:
    problem = trouble(other.connection)
    addresses = [
        f"/admin/clients/client/{other.client.pk}/synchronize/",
        f"/admin/clients/client/{other.client.pk}/recalculate/",
        f"/admin/clients/client/{other.client.pk}/integrations/add/tripletex/",
        f"/admin/clients/client/{bureau.client.pk}/integrations/shared/{other.connection.connector_id}/",
        f"/admin/connectors/{other.connection.connector_id}/",
        f"/admin/connections/{other.connection.pk}/activate/",
        f"/admin/connections/{other.connection.pk}/confirm/",
        f"/admin/connections/{other.connection.pk}/examine/",
        f"/admin/problems/{problem.pk}/again/",
        f"/admin/problems/{problem.pk}/mute/",
    ]

    assert [owner.post(address, {"span": "days", "reason": "x"}).status_code for address in addresses] == [404] * 10
    assert runs() == []


def test_lists_show_only_the_readers_bureau(bureau: Bureau, other: Bureau, owner: Browser) -> None:
    run_of(other.feed)
    trouble(other.connection)

    for address in LISTS:
        assert other.client.name not in owner.get(address).content.decode(), address


def test_choices_of_foreign_keys_are_the_readers_own(bureau: Bureau, other: Bureau, owner: Browser) -> None:
    stranger = other.member("accountant")

    client = owner.get(f"/admin/clients/client/{bureau.client.pk}/change/").content.decode()
    token = owner.get("/admin/clients/apitoken/add/").content.decode()

    assert str(stranger) not in client
    assert other.organisation.name not in token
    assert other.client.name not in token


def runs() -> list[Any]:
    from apps.sync.models import Run

    with system_scope("tests"):
        return list(Run.objects.values_list("kind", flat=True))


def test_the_form_of_a_stored_key_shows_no_key(bureau: Bureau, owner: Browser) -> None:
    page = owner.get(f"/admin/connectors/{bureau.connection.connector_id}/")

    assert page.status_code == 200
    assert SECRET not in page.content.decode()


def test_a_key_of_the_bureau_counts_the_clients_that_the_reader_sees(bureau: Bureau, owner: Browser) -> None:
    shared = ConnectorFactory(organisation=bureau.organisation, client=None)
    for restricted in (False, True, True):
        client = ClientFactory(organisation=bureau.organisation, restricted=restricted)
        ConnectionFactory(client=client, connector=shared)

    rows = owner.get("/admin/connectors/connector/").context_data["cl"].result_list  # type: ignore[attr-defined]

    assert {row.pk: row.clients for row in rows} == {shared.pk: 1, bureau.connection.connector_id: 1}


def test_an_exchange_shows_its_answer_as_text(bureau: Bureau, other: Bureau, owner: Browser) -> None:
    from django.utils import timezone

    from apps.connectors.exchanges import keep_payload
    from apps.connectors.models import Exchange

    with system_scope("tests"):
        mine, theirs = (
            Exchange.objects.create(
                organisation=row.organisation,
                connection=row.connection,
                at=timezone.now(),
                method="GET",
                url="https://vendor.example/vouchers?token=***",
                status=200,
                seconds=0.1,
                payload_id=keep_payload(row.organisation.pk, b'{"number":17,"token":"***"}'),
            )
            for row in (bureau, other)
        )

    page = owner.get(f"/admin/connectors/exchange/{mine.pk}/change/").content.decode()

    assert "&quot;number&quot;: 17" in page
    assert owner.get(f"/admin/connectors/exchange/{theirs.pk}/change/").status_code == 404
