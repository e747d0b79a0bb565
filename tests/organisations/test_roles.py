"""Roles are given and taken by managers: never above their own, and a bureau keeps an owner."""

import threading
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from apps.audit.models import AuditLine
from apps.core.scope import system_scope
from apps.organisations.actions import give_role, take_role
from apps.organisations.enums import Role
from apps.organisations.models import Membership, Organisation, User
from apps.organisations.rights import RANKS, RIGHTS, roles_with
from tests.factories import MembershipFactory, OrganisationFactory, UserFactory
from tests.office.bureau import signed_in

MEMBERSHIPS = "/admin/organisations/membership/"


@pytest.fixture
def bureau(db: None) -> Organisation:
    made: Organisation = OrganisationFactory()
    return made


def member(bureau: Organisation, role: str) -> User:
    person: User = UserFactory()
    MembershipFactory(user=person, organisation=bureau, role=role)
    return person


def role_of(bureau: Organisation, person: User) -> str | None:
    with system_scope("tests"):
        return Membership.objects.filter(organisation=bureau, user=person).values_list("role", flat=True).first()


def given(bureau: Organisation, person: User, role: str, actor: User | None) -> None:
    with system_scope("tests"):
        give_role(organisation=bureau, user=person, role=role, actor=actor)


def test_the_table_knows_every_role_and_closes_what_it_does_not_name() -> None:
    assert set(RANKS) == set(Role)
    assert roles_with("ledger.voucher.delete") == roles_with("nothing.like.this") == frozenset()
    assert all(Role.OWNER in roles for rights in RIGHTS.values() for roles in rights.values())


@pytest.mark.parametrize(
    ("actor", "before", "after", "allowed"),
    [
        ("owner", None, "owner", True),
        ("owner", "manager", "owner", True),
        ("manager", None, "manager", True),
        ("manager", "accountant", "manager", True),
        ("manager", None, "owner", False),
        ("manager", "accountant", "owner", False),
        ("manager", "owner", "accountant", False),
    ],
)
def test_a_role_is_given_up_to_ones_own(
    bureau: Organisation,
    actor: str,
    before: str | None,
    after: str,
    allowed: bool,  # noqa: FBT001 - a parameter
) -> None:
    member(bureau, "owner")
    person = member(bureau, before) if before else UserFactory()

    if allowed:
        given(bureau, person, after, member(bureau, actor))
    else:
        with pytest.raises(ValidationError, match="Only an owner"):
            given(bureau, person, after, member(bureau, actor))

    assert role_of(bureau, person) == (after if allowed else before)


@pytest.mark.parametrize("role", [role.value for role in Role if role != Role.OWNER])
def test_nobody_raises_himself(bureau: Organisation, role: str) -> None:
    person = member(bureau, role)

    for higher in RANKS[RANKS.index(Role(role)) + 1 :]:
        with pytest.raises((ValidationError, PermissionDenied)):
            given(bureau, person, higher, person)
        page = f"{MEMBERSHIPS}{Membership._base_manager.get(user=person).pk}/change/"
        signed_in(person).post(page, {"role": higher})

    assert role_of(bureau, person) == role


def test_the_last_owner_stays_whoever_asks(bureau: Organisation) -> None:
    owner = member(bureau, "owner")
    root = UserFactory(is_superuser=True)

    with system_scope("tests"):
        membership = Membership.objects.get(user=owner)
        for actor in (owner, root, None):
            with pytest.raises(ValidationError, match="at least one owner"):
                take_role(membership=membership, actor=actor)
            with pytest.raises(ValidationError, match="at least one owner"):
                give_role(organisation=bureau, user=owner, role="manager", actor=actor)

    assert role_of(bureau, owner) == "owner"
    with system_scope("tests"):
        assert not AuditLine.objects.exists()


def test_an_owner_who_may_no_longer_sign_in_does_not_count(bureau: Organisation) -> None:
    owner, gone = member(bureau, "owner"), member(bureau, "owner")
    User.objects.filter(pk=gone.pk).update(is_active=False)

    with pytest.raises(ValidationError, match="at least one owner"):
        given(bureau, owner, "manager", owner)


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_leave_one() -> None:
    bureau = OrganisationFactory()
    one, other = member(bureau, "owner"), member(bureau, "owner")
    barrier, refused = threading.Barrier(2), []

    def remove(actor: User, person: User) -> None:
        try:
            with system_scope("tests"):
                membership = Membership.objects.get(organisation=bureau, user=person)
                barrier.wait(10)
                take_role(membership=membership, actor=actor)
        except (ValidationError, PermissionDenied) as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with system_scope("tests"):
        assert Membership.objects.filter(organisation=bureau, role="owner").count() == 1
    assert len(refused) == 1


def test_a_role_is_changed_on_its_page_and_audited(bureau: Organisation) -> None:
    owner, person = member(bureau, "owner"), member(bureau, "accountant")
    membership = Membership._base_manager.get(user=person)

    signed_in(owner).post(f"{MEMBERSHIPS}{membership.pk}/change/", {"role": "reviewer"})

    assert role_of(bureau, person) == "reviewer"
    with system_scope("tests"):
        line = AuditLine.objects.get()
    assert (line.action, line.details) == ("membership.changed", {"before": "accountant", "after": "reviewer"})


def test_what_is_refused_is_told_on_the_page(bureau: Organisation) -> None:
    owner = member(bureau, "owner")
    page = f"{MEMBERSHIPS}{Membership._base_manager.get(user=owner).pk}/"
    browser = signed_in(owner)

    changed = browser.post(f"{page}change/", {"role": "manager"}, follow=True).content.decode()
    deleted = browser.post(f"{page}delete/", {"post": "yes"}, follow=True).content.decode()

    assert "A bureau keeps at least one owner" in changed
    assert "A bureau keeps at least one owner" in deleted
    assert role_of(bureau, owner) == "owner"


@pytest.mark.parametrize("known", [True, False])
def test_a_person_is_added_by_address_whether_known_or_not(bureau: Organisation, known: bool) -> None:  # noqa: FBT001
    person = UserFactory(email="ola@elsewhere.example", is_staff=False) if known else None
    form = {"organisation": bureau.pk, "email": "Ola@Elsewhere.example", "name": "", "role": "accountant"}

    answer = signed_in(member(bureau, "manager")).post(f"{MEMBERSHIPS}add/", form)

    assert answer.status_code == 302
    found = User.objects.get(email="ola@elsewhere.example")
    assert person is None or found.pk == person.pk
    assert (role_of(bureau, found), found.is_staff) == ("accountant", True)
    assert found.has_usable_password() is known


def test_a_bureau_is_told_nothing_but_the_address_until_the_person_signs_in(bureau: Organisation) -> None:
    """The same pages for an account that was there before and for one that was not, but for the address."""
    UserFactory(email="known@elsewhere.example", name="Secret Name")
    manager = member(bureau, "manager")
    owner = signed_in(member(bureau, "owner"))
    pages: dict[str, list[str]] = {}
    for who in ("known", "fresh"):
        form = {"organisation": bureau.pk, "email": f"{who}@elsewhere.example", "name": "Typed", "role": "accountant"}
        browser = signed_in(manager)
        answer = browser.post(f"{MEMBERSHIPS}add/", form, follow=True)
        with system_scope("tests"):
            row = Membership.objects.get(user__email=form["email"])
        shown = [MEMBERSHIPS, f"{MEMBERSHIPS}{row.pk}/change/", f"{MEMBERSHIPS}{row.pk}/history/"]
        shown += ["/admin/organisations/user/", f"/admin/organisations/user/{row.user_id}/change/"]
        shown += ["/admin/audit/auditline/", f"/admin/people/{row.user_id}/two-factor/reset/"]
        answers = [answer, *(one.get(path) for path in shown for one in (browser, owner))]
        pages[who] = [one.content.decode() for one in answers]
        codes = [one.status_code for one in answers]
        assert codes == [200] * 9 + [404, 404, 200, 200, 404, 404], who
        with system_scope("tests"):
            assert Membership.objects.filter(pk=row.pk, met=False).exists()

    told = "".join(pages["known"])
    assert "known@elsewhere.example" in told
    assert "Secret Name" not in told
    assert "Typed" not in "".join(pages["fresh"])
    assert all("needs a password" in pages[who][0] for who in pages)

    signed_in(User.objects.get(email="known@elsewhere.example"))
    assert "Secret Name" in owner.get(MEMBERSHIPS).content.decode()


def test_a_role_taken_away_ends_access_at_the_next_request(bureau: Organisation) -> None:
    person = member(bureau, "manager")
    browser = signed_in(person)
    pages = [
        "/admin/clients/client/",
        "/admin/clients/apitoken/",
        f"/admin/organisations/organisation/{bureau.pk}/change/",
    ]

    assert [browser.get(page).status_code for page in pages] == [200, 200, 200]
    with system_scope("tests"):
        take_role(membership=Membership.objects.get(user=person), actor=None)

    assert [browser.get(page).status_code for page in pages] == [403, 403, 403]


def test_a_lowered_role_holds_at_the_next_request(bureau: Organisation) -> None:
    person = member(bureau, "manager")
    browser = signed_in(person)
    assert browser.get("/admin/clients/client/add/").status_code == 200

    given(bureau, person, "read_only", None)

    assert browser.get("/admin/clients/client/add/").status_code == 403
    assert browser.get("/admin/clients/client/").status_code == 200


def test_a_manager_of_one_bureau_is_none_in_another(bureau: Organisation) -> None:
    """The role of each bureau counts for its rows, on lists and in choices too."""
    person = member(bureau, "manager")
    other: Any = OrganisationFactory(name="The other bureau")
    MembershipFactory(user=person, organisation=other, role="read_only")
    stranger = MembershipFactory(organisation=other, user__name="Somebody of the other")
    browser = signed_in(person)

    assert "Somebody of the other" not in browser.get(MEMBERSHIPS).content.decode()
    assert browser.get(f"{MEMBERSHIPS}{stranger.pk}/change/").status_code == 404
    assert "The other bureau" not in browser.get("/admin/clients/client/add/").content.decode()
