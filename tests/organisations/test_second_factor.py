"""Two-factor sign-in over real HTTP: demanded, set up, entered, lost, reset."""

import re
import threading
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import requests
from django.db import connection, connections

from apps.audit.models import AuditLine
from apps.core.scope import system_scope
from apps.organisations import second_factor
from apps.organisations.models import RecoveryCode, SecondFactor, User
from apps.organisations.second_factor import Entered
from tests.factories import MembershipFactory, OrganisationFactory, UserFactory
from tests.organisations.visitor import PASSWORD, Visitor, code_of, wait_for_step, wrong_code

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demanded")]
Visitors = Callable[[], Visitor]


def set_up(user: User) -> tuple[str, list[str]]:
    """The key and the recovery codes of somebody who has a second factor; its codes of now are unused."""
    begun = second_factor.begin(user=user, begun=None)
    key = begun.key
    entered, codes = second_factor.confirm(user=user, begun=begun.pk, code=code_of(key))
    assert entered is Entered.RIGHT
    SecondFactor.objects.filter(user=user).update(last_step=-1)
    return key, codes


def shown_codes(answer: requests.Response) -> list[str]:
    return re.findall(r"<li>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</li>", answer.text)


def lines(user: User) -> list[str]:
    with system_scope("tests"):
        found = AuditLine.objects.filter(subject_kind="organisations.user", subject_id=str(user.pk))
        return list(found.order_by("pk").values_list("action", flat=True))


def test_staff_without_a_second_factor_see_nothing_until_it_is_set_up(person: User, visitor: Visitors) -> None:
    browser = visitor()
    answer = browser.sign_in(person.email)
    assert answer.url.endswith("/admin/two-factor/?next=%2Fadmin%2F")
    for path in (
        "/admin/",
        "/admin/clients/client/",
        "/admin/password_change/",
        "/admin/jsi18n/",
        "/admin/search/?s=a",
    ):
        assert "/admin/two-factor/" in browser.see(path).url, path
    before = browser.key
    # the picture is drawn in the page, and the key stands below it for those who cannot scan
    page = browser.see("/admin/two-factor/")
    assert "<svg" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    begun = SecondFactor.objects.get(user=person)
    assert begun.shown_key in page.text

    answer = browser.submit("/admin/two-factor/?next=/admin/clients/client/", code=code_of(begun.key))

    codes = shown_codes(answer)
    assert len(set(codes)) == 10
    assert 'href="/admin/clients/client/"' in answer.text
    assert browser.key != before
    assert browser.see("/admin/").url.endswith("/admin/")
    assert not shown_codes(browser.see("/admin/two-factor/")), "recovery codes are shown once"
    assert lines(person) == ["second_factor.made"]


def test_a_wrong_first_code_sets_nothing_up(person: User, visitor: Visitors) -> None:
    browser = visitor()
    browser.sign_in(person.email)
    begun = SecondFactor.objects.get(user=person)

    answer = browser.submit("/admin/two-factor/", code=wrong_code(begun.key))

    assert "This code is not right." in unescape(answer.text)
    assert begun.shown_key in answer.text, "a mistyped digit does not cost a new picture"
    assert not SecondFactor.objects.filter(confirmed=True).exists()
    assert "/admin/two-factor/" in browser.see("/admin/").url


def test_a_session_is_not_shown_the_key_that_another_one_sets_up(person: User, visitor: Visitors) -> None:
    """Who has only the password, and looked first, has no key that will ever count."""
    stranger, browser = visitor(), visitor()
    stranger.sign_in(person.email)
    theirs = SecondFactor.objects.get(user=person)
    browser.sign_in(person.email)
    mine = SecondFactor.objects.exclude(pk=theirs.pk).get(user=person)
    assert theirs.shown_key not in browser.see("/admin/two-factor/").text
    assert mine.shown_key not in stranger.see("/admin/two-factor/").text

    browser.submit("/admin/two-factor/", code=code_of(mine.key))

    assert [factor.pk for factor in SecondFactor.objects.filter(user=person)] == [mine.pk]
    assert second_factor.confirm(user=person, begun=theirs.pk, code=code_of(theirs.key)) == (Entered.WRONG, [])
    assert "/admin/two-factor/enter/" in stranger.see("/admin/").url


def test_the_code_is_asked_after_the_password_and_leads_on(person: User, visitor: Visitors) -> None:
    key, _codes = set_up(person)
    browser = visitor()

    asked = browser.sign_in(person.email, path="/admin/login/?next=/admin/sync/run/")
    before = browser.key
    refused = browser.submit(asked.url.removeprefix(browser.address), code=wrong_code(key))
    answer = browser.submit(asked.url.removeprefix(browser.address), code=code_of(key))

    assert "two-factor/enter" in asked.url
    assert "two-factor/enter" in refused.url
    assert answer.url.endswith("/admin/sync/run/")
    assert browser.key != before


def test_a_code_is_good_once(person: User, visitor: Visitors) -> None:
    key, _codes = set_up(person)
    wait_for_step()
    code = code_of(key)
    first, second = visitor(), visitor()
    for browser in (first, second):
        browser.sign_in(person.email)

    assert first.submit("/admin/two-factor/enter/", code=code).url.endswith("/admin/")
    assert "two-factor/enter" in second.submit("/admin/two-factor/enter/", code=code).url


def test_who_turned_it_on_is_asked_also_where_it_is_not_demanded(
    person: User, visitor: Visitors, settings: Any
) -> None:
    settings.KONTOR_TWO_FACTOR = False
    set_up(person)
    browser = visitor()

    assert "two-factor/enter" in browser.sign_in(person.email).url
    assert "two-factor/enter" in browser.see("/admin/clients/client/").url


def test_where_it_is_not_demanded_the_password_is_enough(person: User, visitor: Visitors, settings: Any) -> None:
    settings.KONTOR_TWO_FACTOR = False

    assert visitor().sign_in(person.email).url.endswith("/admin/")


def test_a_recovery_code_opens_once_however_it_is_typed(person: User, visitor: Visitors) -> None:
    _key, codes = set_up(person)
    typed = codes[3].lower().replace("-", " ")
    first, second = visitor(), visitor()
    for browser in (first, second):
        browser.sign_in(person.email)

    opened = first.submit("/admin/two-factor/enter/", code=typed)
    again = second.submit("/admin/two-factor/enter/", code=typed)

    assert opened.url.endswith("/admin/")
    assert "9 are left" in opened.text
    assert "two-factor/enter" in again.url
    assert RecoveryCode.objects.count() == 9
    assert lines(person)[-1] == "second_factor.recovery_code_used"


def test_wrong_codes_cost_more_and_more_waiting_and_are_not_looked_at(
    person: User, visitor: Visitors, settings: Any
) -> None:
    key, _codes = set_up(person)
    settings.KONTOR_OTP_THROTTLE_SECONDS = 30
    browser = visitor()
    browser.sign_in(person.email)

    told = browser.submit("/admin/two-factor/enter/", code=wrong_code(key))
    too_soon = browser.submit("/admin/two-factor/enter/", code=code_of(key))

    assert "Wait 30 seconds." in unescape(told.text)
    assert "this one was not looked at" in unescape(too_soon.text)
    assert "/admin/two-factor/enter/" in browser.see("/admin/").url
    factor = SecondFactor.objects.get(user=person)
    assert factor.throttling_failure_count == 1
    factor.throttling_failure_count = 4
    until = factor.locked_until()
    assert until is not None
    assert factor.throttling_failure_timestamp is not None
    assert (until - factor.throttling_failure_timestamp).total_seconds() == 30 * 8


def test_many_at_once_get_one_try_and_one_step(person: User) -> None:
    """Eight browsers send the same right code at once: one is let in."""
    key, _codes = set_up(person)
    wait_for_step()
    code, found, ready = code_of(key), [], threading.Barrier(8)

    def enter() -> None:
        try:
            ready.wait()
            found.append(second_factor.enter(user=person, code=code))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.value for one in found) == ["right", *["wrong"] * 7]


def test_new_recovery_codes_and_another_telephone_ask_for_a_code(person: User, visitor: Visitors) -> None:
    key, codes = set_up(person)
    browser = visitor()
    browser.sign_in(person.email)
    browser.submit("/admin/two-factor/enter/", code=codes[0])

    refused = browser.submit("/admin/two-factor/", code=wrong_code(key), codes="1")
    made = shown_codes(browser.submit("/admin/two-factor/", code=codes[1], codes="1"))
    assert "This code is not right." in unescape(refused.text)
    assert len(made) == 10
    assert not set(made) & set(codes)
    assert second_factor.enter(user=person, code=codes[2]) is Entered.WRONG

    other = visitor()
    other.sign_in(person.email)
    after = browser.submit("/admin/two-factor/", code=made[0], remove="1")
    assert "/admin/login/" in other.see("/admin/").url
    assert "Turn on two-factor sign-in" in after.text
    assert "/admin/two-factor/" in browser.see("/admin/").url
    assert "second_factor.removed" in lines(person)


def test_key_and_codes_are_not_in_clear_in_the_database(person: User) -> None:
    key, codes = set_up(person)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM organisations_secondfactor")
        rows = [bytes(value) if isinstance(value, memoryview) else value for row in cursor for value in row]
        cursor.execute("SELECT * FROM organisations_recoverycode")
        rows += [value for row in cursor for value in row]
    told = " ".join(repr(value) for value in rows)

    assert SecondFactor.objects.get(user=person).key == key
    assert key not in told
    assert not [code for code in codes if code in told or code.replace("-", "") in told]


# -- Reset ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(person: User) -> User:
    with system_scope("tests"):
        organisation = person.membership_set.get().organisation
    made = UserFactory(email="ola@nordvik.example", name="Ola")
    made.set_password(PASSWORD)
    made.save()
    MembershipFactory(user=made, organisation=organisation, role="owner")
    return made


@pytest.fixture
def owners_browser(owner: User, visitor: Visitors) -> Visitor:
    _key, codes = set_up(owner)
    browser = visitor()
    browser.sign_in(owner.email)
    browser.submit("/admin/two-factor/enter/", code=codes[0])
    return browser


def test_an_owner_resets_a_colleague_and_every_session_of_theirs_ends(
    person: User, owner: User, owners_browser: Visitor, visitor: Visitors
) -> None:
    _key, codes = set_up(person)
    theirs = visitor()
    theirs.sign_in(person.email)
    theirs.submit("/admin/two-factor/enter/", code=codes[0])
    assert theirs.see("/admin/").url.endswith("/admin/")

    page = owners_browser.see(f"/admin/organisations/user/{person.pk}/change/")
    assert "Reset two-factor sign-in" in page.text
    asked = owners_browser.see(f"/admin/organisations/user/{person.pk}/second-factor")
    answer = owners_browser.submit(asked.url.removeprefix(owners_browser.address))

    assert "was reset" in answer.text
    assert not SecondFactor.objects.filter(user=person).exists()
    assert "/admin/login/" in theirs.see("/admin/clients/client/").url
    assert "/admin/login/" in theirs.see("/admin/two-factor/").url, "a new one is set up after the password only"
    assert "/admin/two-factor/" in theirs.sign_in(person.email).url
    assert owners_browser.see("/admin/").url.endswith("/admin/")
    with system_scope("tests"):
        line = AuditLine.objects.filter(action="second_factor.reset").get()
    assert (line.actor_id, line.subject_id) == (owner.pk, str(person.pk))


@pytest.mark.parametrize("role", ["manager", "accountant", "read_only"])
def test_nobody_else_in_the_bureau_resets(person: User, owner: User, visitor: Visitors, role: str) -> None:
    set_up(person)
    with system_scope("tests"):
        owner.membership_set.update(role=role)
    _key, codes = set_up(owner)
    browser = visitor()
    browser.sign_in(owner.email)
    browser.submit("/admin/two-factor/enter/", code=codes[0])

    answer = browser.see(f"/admin/people/{person.pk}/two-factor/reset/")

    assert answer.status_code == 403
    assert second_factor.factor_of(person) is not None


def test_an_owner_resets_no_superuser_nobody_of_another_bureau_and_not_themselves(
    person: User, owner: User, owners_browser: Visitor
) -> None:
    """Somebody who also works elsewhere is reset by a superuser: the other bureau's books hang on it too."""
    set_up(person)
    reset = f"/admin/people/{person.pk}/two-factor/reset/"
    elsewhere = MembershipFactory(user=person, organisation=OrganisationFactory(), role="read_only")
    assert owners_browser.see(reset).status_code == 403
    with system_scope("tests"):
        elsewhere.delete()
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    assert owners_browser.see(reset).status_code == 403
    stranger = UserFactory()
    MembershipFactory(user=stranger, organisation=OrganisationFactory())
    assert owners_browser.see(f"/admin/people/{stranger.pk}/two-factor/reset/").status_code == 404
    assert owners_browser.see(f"/admin/people/{owner.pk}/two-factor/reset/").status_code == 403
    assert second_factor.factor_of(person) is not None
