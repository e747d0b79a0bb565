"""Which clients a person sees: by role, by being named, and never a restricted one without."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from apps.audit.models import AuditLine
from apps.clients.access import assign, set_responsible, set_restricted, unassign
from apps.clients.models import Assignment, Client
from apps.clients.reach import reach_of
from apps.core.scope import reader_scope, system_scope
from apps.ledger.models import Account, FiscalYear, Posting, Voucher
from apps.organisations.models import Membership, Organisation, User
from tests.factories import (
    AccountFactory,
    AssignmentFactory,
    ClientFactory,
    FiscalYearFactory,
    MembershipFactory,
    OrganisationFactory,
    UserFactory,
    voucher,
)
from tests.office.bureau import signed_in

SEE_ALL = ["owner", "manager", "reviewer", "read_only"]


@pytest.fixture
def bureau(db: None) -> Organisation:
    made: Organisation = OrganisationFactory()
    return made


def member(bureau: Organisation, role: str) -> Membership:
    made: Membership = MembershipFactory(organisation=bureau, role=role)
    return made


def seen(person: User) -> set[Any]:
    """Asked afresh, as at every request."""
    user = User.objects.get(pk=person.pk)
    with reader_scope(user.roles(), reach_of(user), "tests"):
        return set(Client.objects.all())


@pytest.mark.parametrize("role", SEE_ALL)
def test_most_roles_see_all_but_restricted_clients(bureau: Organisation, role: str) -> None:
    plain = ClientFactory(organisation=bureau)
    ClientFactory(organisation=bureau, restricted=True)
    ClientFactory()

    assert seen(member(bureau, role).user) == {plain}


@pytest.mark.parametrize("kind", ["substitute", "named"])
@pytest.mark.parametrize("role", [*SEE_ALL, "accountant"])
def test_named_people_see_a_restricted_client(bureau: Organisation, role: str, kind: str) -> None:
    client = ClientFactory(organisation=bureau, restricted=True)
    one, other = member(bureau, role), member(bureau, role)
    AssignmentFactory(client=client, membership=one, kind=kind)

    assert (seen(one.user), seen(other.user)) == ({client}, set())


def test_an_accountant_sees_the_clients_that_are_his_own(bureau: Organisation) -> None:
    accountant = member(bureau, "accountant")
    responsible = ClientFactory(organisation=bureau, responsible=accountant.user)
    substitute = ClientFactory(organisation=bureau)
    AssignmentFactory(client=substitute, membership=accountant)
    ClientFactory(organisation=bureau, responsible=UserFactory())

    assert seen(accountant.user) == {responsible, substitute}


def test_who_left_the_bureau_sees_nothing_though_still_responsible(bureau: Organisation) -> None:
    accountant = member(bureau, "accountant")
    client = ClientFactory(organisation=bureau, responsible=accountant.user)
    AssignmentFactory(client=client, membership=accountant)
    assert seen(accountant.user) == {client}

    with system_scope("tests"):
        accountant.delete()
        assert not Assignment.objects.exists()

    assert seen(accountant.user) == set()


def test_an_auditor_sees_the_named_clients_to_the_last_day_where_the_bureau_is(bureau: Organisation) -> None:
    auditor = member(bureau, "auditor")
    client = ClientFactory(organisation=bureau)
    ClientFactory(organisation=bureau, responsible=auditor.user)
    years = {"first_year": 2025, "last_year": 2025}
    AssignmentFactory(client=client, membership=auditor, kind="audit", ends_on=date(2026, 11, 20), **years)

    with time_machine.travel(datetime(2026, 11, 20, 22, 59, tzinfo=UTC)):  # 23:59 in Oslo
        assert seen(auditor.user) == {client}
    with time_machine.travel(datetime(2026, 11, 20, 23, 1, tzinfo=UTC)):
        assert seen(auditor.user) == set()


def test_an_auditor_sees_the_books_of_the_named_years_only(bureau: Organisation) -> None:
    auditor = member(bureau, "auditor")
    client = ClientFactory(organisation=bureau)
    bank, sales = AccountFactory(client=client, number="1920"), AccountFactory(client=client, number="3000")
    for year in (2024, 2025, 2026):
        one = FiscalYearFactory(client=client, start=date(year, 1, 1), end=date(year, 12, 31))
        voucher(one, date(year, 3, 1), {bank: "10.00", sales: "-10.00"}, number=f"of-{year}")
    values = {"first_year": 2025, "last_year": 2025, "ends_on": date(2099, 1, 1)}
    AssignmentFactory(client=client, membership=auditor, kind="audit", **values)

    with reader_scope(auditor.user.roles(), reach_of(auditor.user), "tests"):
        assert [year.end.year for year in FiscalYear.objects.all()] == [2025]
        assert [one.number for one in Voucher.objects.all()] == ["of-2025"]
        assert Posting.objects.count() == 2
        assert Account.objects.count() == 2
    browser = signed_in(auditor.user)
    page = browser.get("/admin/ledger/voucher/").content.decode()
    assert ("of-2025" in page, "of-2024" in page, "of-2026" in page) == (True, False, False)


def test_an_auditors_opening_holds_what_the_years_before_carry_over(bureau: Organisation) -> None:
    """The years themselves are not shown, but a balance without its opening would be wrong."""
    from apps.ledger.balances import recalculate_all

    auditor = member(bureau, "auditor")
    client = ClientFactory(organisation=bureau)
    bank, debt = AccountFactory(client=client, number="1920"), AccountFactory(client=client, number="2400")
    for year, amount in ((2024, "77.25"), (2025, "10.00")):
        one = FiscalYearFactory(client=client, start=date(year, 1, 1), end=date(year, 12, 31))
        voucher(one, date(year, 3, 1), {bank: amount, debt: f"-{amount}"})
    with system_scope("tests"):
        recalculate_all(client)
    values = {"first_year": 2025, "last_year": 2025, "ends_on": date(2099, 1, 1)}
    AssignmentFactory(client=client, membership=auditor, kind="audit", **values)

    browser, address = signed_in(auditor.user), f"/admin/clients/client/{client.pk}/balances/"
    page = browser.get(address).content.decode()
    sheet = browser.get(f"{address}?as=csv").content.decode("utf-8-sig")
    rows = {row[0]: row[2:] for row in csv.reader(sheet.splitlines())}

    assert "77.25" in page
    assert "87.25" in page
    assert [Decimal(cell) for cell in rows["1920"]] == [Decimal(text) for text in ("77.25", "10", "0", "87.25")]
    assert "2024" not in page.split("<main")[-1]


def test_an_auditor_needs_years_and_an_end(bureau: Organisation) -> None:
    from django.core.exceptions import ValidationError
    from django.db import IntegrityError, transaction

    client, auditor = ClientFactory(organisation=bureau), member(bureau, "auditor")

    with system_scope("tests"):
        for years, ends_on in ((None, date(2027, 1, 1)), ((2025, 2025), None), ((2026, 2025), date(2027, 1, 1))):
            with pytest.raises(ValidationError, match="last day of access"):
                assign(client=client, membership=auditor, kind="audit", actor=None, years=years, ends_on=ends_on)
        with pytest.raises(ValidationError, match="others are not"):
            assign(client=client, membership=auditor, kind="named", actor=None)
        with pytest.raises(IntegrityError), transaction.atomic():
            AssignmentFactory(client=client, membership=auditor, kind="audit")
        assert not Assignment.objects.exists()


def test_people_of_another_bureau_are_named_for_nothing(bureau: Organisation) -> None:
    from django.core.exceptions import ValidationError

    client, stranger = ClientFactory(organisation=bureau), MembershipFactory()

    with system_scope("tests"):
        with pytest.raises(ValidationError, match="does not belong"):
            assign(client=client, membership=stranger, kind="named", actor=None)
        with pytest.raises(ValidationError, match="does not belong"):
            set_responsible(client=client, user=stranger.user, actor=None)
        assert not AuditLine.objects.exists()


def test_naming_and_restricting_are_audited_and_who_restricts_stays_in(bureau: Organisation) -> None:
    manager, client = member(bureau, "manager"), ClientFactory(organisation=bureau)

    with system_scope("tests"):
        set_restricted(client=client, restricted=True, actor=manager.user)
    assert seen(manager.user) == {client}
    with system_scope("tests"):
        unassign(assignment=Assignment.objects.get(), actor=manager.user)
        lines = list(AuditLine.objects.order_by("id").values_list("action", "client_id"))
    assert seen(manager.user) == set()
    actions = ["client.restricted", "client.assigned", "client.unassigned"]
    assert lines == [(action, client.pk) for action in actions]


# -- The pages --------------------------------------------------------------------------------------------------------


def test_a_manager_names_an_accountant_who_then_sees_the_client(bureau: Organisation) -> None:
    client, accountant = ClientFactory(organisation=bureau), member(bureau, "accountant")
    manager, browser = signed_in(member(bureau, "manager").user), signed_in(accountant.user)
    page = f"/admin/clients/client/{client.pk}"
    assert browser.get(f"{page}/change/").status_code == 404

    manager.post(f"{page}/access/assign/", {"membership": accountant.pk, "kind": "substitute"})
    assert browser.get(f"{page}/change/").status_code == 200
    with system_scope("tests"):
        named = Assignment.objects.get()
    assert browser.post(f"/admin/assignments/{named.pk}/end/").status_code == 403
    manager.post(f"/admin/assignments/{named.pk}/end/")

    assert browser.get(f"{page}/change/").status_code == 404


def test_an_owner_finds_a_restricted_client_by_its_number_and_names_himself(bureau: Organisation) -> None:
    client = ClientFactory(organisation=bureau, number="4711", name="Very secret AS", restricted=True)
    owner, manager = signed_in(member(bureau, "owner").user), signed_in(member(bureau, "manager").user)
    page = f"/admin/clients/client/{client.pk}/change/"

    found = owner.get("/admin/restricted/").content.decode()
    assert "4711" in found
    assert "Very secret AS" not in found
    assert owner.get(page).status_code == 404
    assert manager.get("/admin/restricted/").status_code == 403
    assert manager.post(f"/admin/restricted/{client.pk}/").status_code == 403
    assert owner.post(f"/admin/restricted/{client.pk}/").status_code == 302

    assert owner.get(page).status_code == 200
    assert manager.get(page).status_code == 404


def test_an_owner_of_another_bureau_does_not_find_it(bureau: Organisation) -> None:
    client = ClientFactory(organisation=bureau, number="4711", restricted=True)
    stranger = signed_in(member(OrganisationFactory(), "owner").user)

    assert "4711" not in stranger.get("/admin/restricted/").content.decode()
    assert stranger.post(f"/admin/restricted/{client.pk}/").status_code == 404
    with system_scope("tests"):
        assert not Assignment.objects.exists()


def test_a_number_of_an_unseen_client_is_refused_in_words(bureau: Organisation) -> None:
    """The database would refuse it with a page that says nothing."""
    ClientFactory(organisation=bureau, organisation_number="923609016", restricted=True)
    form = {"organisation": bureau.pk, "number": "5", "name": "New AS", "country": "NO"}

    page = signed_in(member(bureau, "manager").user).post(
        "/admin/clients/client/add/", form | {"organisation_number": "923609016"}
    )

    assert "Another client of this bureau has this organisation number." in page.content.decode()


def test_a_manager_changes_the_number_after_being_told_what_happens(bureau: Organisation) -> None:
    from tests.factories import ConnectionFactory

    client = ClientFactory(organisation=bureau, organisation_number="923609016")
    connection = ConnectionFactory(client=client, organisation_number="923609016")
    manager, accountant = member(bureau, "manager"), member(bureau, "accountant")
    AssignmentFactory(client=client, membership=accountant)
    page = f"/admin/clients/client/{client.pk}/number/"
    browser, worker = signed_in(manager.user), signed_in(accountant.user)

    assert worker.get(page).status_code == worker.post(page).status_code == 403
    assert "Every connection above is blocked" in browser.get(page).content.decode()
    assert "is not an organisation number" in browser.post(page, {"number": "1", "reason": "x"}).content.decode()
    browser.post(page, {"number": "974760673", "reason": "typed wrong"})

    client.refresh_from_db()
    connection.refresh_from_db()
    assert (client.organisation_number, connection.state) == ("974760673", "blocked")
    assert "What was read is hidden" in browser.get(page).content.decode()
    told = browser.get(f"/admin/clients/client/{client.pk}/change/").content.decode()
    assert "the organisation number was changed; a manager has to release what was read" in told
    assert worker.post(f"{page}release/", {"reason": "x"}).status_code == 403
    refused = browser.post(f"{page}release/", {"reason": "looked at it"}, follow=True).content.decode()
    assert "Activate first, so that it is seen which company the new number opens" in refused
    client.refresh_from_db()
    assert client.hidden_at is not None
    browser.post(page, {"number": "923609016", "reason": "it was right"})
    browser.post(f"{page}release/", {"reason": "looked at it"})
    client.refresh_from_db()
    assert client.hidden_at is None
