"""Wrong passwords, closed sign-ins, and how a session begins and ends, over real HTTP."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import requests
from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from apps.organisations.models import User
from tests.organisations.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.django_db(transaction=True)
Visitors = Callable[[], Visitor]
UNKNOWN = "nobody@nordvik.example"


def refused(browser: Visitor, email: str, times: int, **headers: str) -> requests.Response:
    browser.headers.update(headers)
    for _ in range(times):
        answer = browser.sign_in(email, "not the password")
    return answer


def test_five_wrong_passwords_close_the_sign_in_there_with_a_page_that_says_when(
    person: User, visitor: Visitors
) -> None:
    browser = visitor()
    assert refused(browser, person.email, 4).status_code == 200

    closed = refused(browser, person.email, 1)
    right = visitor().sign_in(person.email)

    assert closed.status_code == right.status_code == 429
    assert 890 <= int(closed.headers["Retry-After"]) <= 900
    assert "Try again in 15 minutes" in closed.text
    assert "caps lock" in closed.text
    assert "sessionid" not in right.cookies


def test_an_unknown_address_is_answered_the_same(person: User, visitor: Visitors) -> None:
    known, unknown = visitor(), visitor()
    pages = [(refused(known, person.email, 1), refused(unknown, UNKNOWN, 1)) for _ in range(5)]

    for mine, other in pages:
        assert mine.status_code == other.status_code
        assert _plain(mine, person.email) == _plain(other, UNKNOWN)
    assert pages[-1][0].status_code == 429


def _plain(answer: requests.Response, email: str) -> str:
    text = unescape(answer.text).replace(email, "EMAIL")
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", text)
    return re.sub(r'datetime="[^"]+"', "", text)


@pytest.mark.parametrize("spelling", ["KARI@nordvik.example", "Kari@Nordvik.Example", " kari@nordvik.example "])
def test_another_spelling_of_the_address_is_no_further_chance(person: User, visitor: Visitors, spelling: str) -> None:
    browser = visitor()
    refused(browser, person.email, 4)

    assert refused(browser, spelling, 1).status_code == 429


def test_it_is_closed_for_this_person_only_and_a_sign_in_begins_the_count_again(
    person: User, visitor: Visitors
) -> None:
    browser = visitor()
    refused(browser, UNKNOWN, 5)
    refused(browser, person.email, 4)

    assert visitor().sign_in(person.email).url.endswith("/admin/")
    assert refused(visitor(), person.email, 4).status_code == 200


def test_trying_on_does_not_prolong_it_and_it_opens_by_itself(person: User, visitor: Visitors) -> None:
    browser = visitor()
    refused(browser, person.email, 5)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert "Try again in 1 minute<" in refused(browser, person.email, 1).text
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))

    assert visitor().sign_in(person.email).url.endswith("/admin/")


def test_a_forged_header_is_no_other_place(person: User, visitor: Visitors) -> None:
    browser = visitor()
    for number in range(4):
        refused(browser, person.email, 1, **{"X-Forwarded-For": f"203.0.113.{number}"})

    assert refused(browser, person.email, 1, **{"X-Forwarded-For": "203.0.113.99"}).status_code == 429


def test_behind_one_proxy_only_what_the_proxy_wrote_counts(person: User, visitor: Visitors, settings: Any) -> None:
    settings.KONTOR_PROXIES = 1
    browser = visitor()
    for number in range(4):
        refused(browser, person.email, 1, **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"})
    elsewhere = {"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}

    assert refused(browser, person.email, 1, **elsewhere).status_code == 200
    assert refused(browser, person.email, 1, **{"X-Forwarded-For": "10.0.0.1, 203.0.113.7"}).status_code == 429


def test_addresses_of_one_ipv6_network_are_one_place(person: User, visitor: Visitors, settings: Any) -> None:
    settings.KONTOR_PROXIES = 1
    browser = visitor()
    for number in range(4):
        refused(browser, person.email, 1, **{"X-Forwarded-For": f"2001:db8:0:7:{number}::1"})

    assert refused(browser, person.email, 1, **{"X-Forwarded-For": "2001:db8:0:8::1"}).status_code == 200
    assert refused(browser, person.email, 1, **{"X-Forwarded-For": "2001:db8:0:7:ffff::9"}).status_code == 429
    for number in range(5):
        mapped = refused(browser, person.email, 1, **{"X-Forwarded-For": f"::ffff:203.0.113.{number}"})
    assert mapped.status_code == 200, "IPv4 that is written as IPv6 is counted by the address"


def test_one_place_does_not_try_all_accounts(person: User, visitor: Visitors, settings: Any) -> None:
    settings.KONTOR_LOGIN_FAILURES_ADDRESS, settings.KONTOR_PROXIES = 7, 1
    there, elsewhere = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    browser = visitor()
    codes = [refused(browser, f"person{number}@nordvik.example", 1, **there).status_code for number in range(7)]
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=5))

    closed = browser.sign_in(person.email)
    browser.headers.update(elsewhere)

    assert codes == [200] * 6 + [429]
    assert closed.status_code == 429
    assert "Try again in 10 minutes" in closed.text
    assert browser.sign_in(person.email).url.endswith("/admin/")


def test_a_sign_in_of_ones_own_does_not_begin_the_count_of_the_place_again(
    person: User, visitor: Visitors, settings: Any
) -> None:
    settings.KONTOR_LOGIN_FAILURES_ADDRESS = 4
    for number in range(3):
        refused(visitor(), f"person{number}@nordvik.example", 1)

    assert visitor().sign_in(person.email).url.endswith("/admin/")
    assert refused(visitor(), "person9@nordvik.example", 1).status_code == 429


def test_no_password_is_kept_of_an_attempt(person: User, visitor: Visitors) -> None:
    visitor().sign_in(person.email, "a-canary-that-is-no-password")

    kept = AccessAttempt.objects.get()
    assert "canary" not in " ".join(str(getattr(kept, field.name)) for field in kept._meta.fields)


def test_nothing_is_kept_of_who_signed_in_from_where(person: User, visitor: Visitors) -> None:
    browser = visitor()
    browser.sign_in(person.email)

    assert browser.see("/admin/").url.endswith("/admin/")
    assert not AccessLog.objects.exists()


# -- Sessions ---------------------------------------------------------------------------------------------------------


def test_the_session_has_another_key_after_the_sign_in(person: User, visitor: Visitors) -> None:
    planted = SessionStore()
    planted["theirs"] = "1"
    planted.create()
    browser = visitor()
    browser.cookies.set("sessionid", planted.session_key, domain="localhost.local", path="/")

    browser.sign_in(person.email)

    assert browser.see("/admin/").url.endswith("/admin/")
    assert browser.key != planted.session_key
    assert not SessionStore().exists(planted.session_key)


def test_all_other_sessions_end_when_the_password_changes(person: User, visitor: Visitors) -> None:
    mine, other = visitor(), visitor()
    for browser in (mine, other):
        browser.sign_in(person.email)
    new = "quite another phrase 0815"

    mine.submit("/admin/password_change/", old_password=PASSWORD, new_password1=new, new_password2=new)

    assert mine.see("/admin/").url.endswith("/admin/")
    assert "/admin/login/" in other.see("/admin/").url


@pytest.mark.parametrize("rule", ["KONTOR_IDLE_SECONDS", "KONTOR_SESSION_SECONDS"])
def test_a_session_ends_when_it_is_not_used_and_in_any_case_after_a_while(
    person: User, visitor: Visitors, settings: Any, rule: str
) -> None:
    browser = visitor()
    browser.sign_in(person.email)
    assert browser.see("/admin/clients/client/").url.endswith("/client/")
    setattr(settings, rule, -1)

    ended = browser.see("/admin/clients/client/")

    assert ended.url.endswith("/admin/login/?next=/admin/clients/client/")
    assert "signed out after a while" in ended.text
    setattr(settings, rule, 3600)
    assert "/admin/login/" in browser.see("/admin/").url, "it is really over"
