"""A form of the admin writes what was changed in it: what happened to the row meanwhile stays."""

import inspect
import re
from dataclasses import dataclass
from datetime import date
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection as database
from django.db import models, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.clients.admin import ApiTokenAdmin
from apps.clients.models import ApiToken, Client
from apps.core.admin import BureauAdmin, ReadOnlyInline
from apps.core.scope import system_scope
from apps.notifications.models import Webhook, WebhookSecret
from apps.sync.actions import change_number
from tests.factories import ClientFactory, UserFactory
from tests.office.bureau import Bureau, make_bureau, signed_in

# Admins that save in a way of their own, and why nothing of the row is undone by it.
OWN_WAY = {"MembershipAdmin": "give_role reads the row again under the bureau's lock, and writes the role"}


@pytest.fixture(autouse=True)
def _scope(db: None) -> Any:
    with system_scope("tests"):
        yield


@dataclass
class Case:
    """A row, the form that is sent for it, what that is to write, and what others write meanwhile."""

    row: models.Model
    form: dict[str, Any]
    written: dict[str, Any]
    meanwhile: dict[str, Any]
    page: str = "change"


def client(bureau: Bureau) -> Case:
    meanwhile = {"organisation_number": "985952442", "restricted": True, "hidden_at": timezone.now()}
    return Case(bureau.client, {"number": "77", "name": "New name"}, {"name": "New name"}, meanwhile)


def feed(bureau: Bureau) -> Case:
    bureau.feed.release_disappearance = True
    bureau.feed.save()
    meanwhile = {"release_disappearance": False, "watermark": "later", "read_at": timezone.now()}
    form = {"enabled": "on", "history_from": "2026-01-01"}
    return Case(bureau.feed, form, {"history_from": date(2026, 1, 1)}, meanwhile)


def webhook(bureau: Bureau) -> Case:
    row = Webhook.objects.create(organisation=bureau.organisation, name="Tickets", host="a.example", all_clients=True)
    WebhookSecret.objects.create(webhook=row, url="https://a.example/x", secret="whsec_x")
    form = {"name": "Board", "url": "https://1.1.1.1/hook", "all_clients": "on"}
    return Case(row, form, {"name": "Board", "host": "1.1.1.1"}, {"paused_at": timezone.now(), "failures": 3})


def token(bureau: Bureau) -> Case:
    row = ApiToken.objects.create(organisation=bureau.organisation, name="Board", digest="x", all_clients=True)
    return Case(row, {"name": "Door", "all_clients": "on"}, {"name": "Door"}, {"revoked_at": timezone.now()})


def organisation(bureau: Bureau) -> Case:
    row = bureau.organisation
    names = ("slug", "country", "language", "time_zone", "night_hour")
    form = {"name": "Vestvik", **{name: getattr(row, name) for name in names}}
    inline = {"membership_set-TOTAL_FORMS": 0, "membership_set-INITIAL_FORMS": 0}
    return Case(row, form | inline, {"name": "Vestvik"}, {"night_hour": 5})


def person(bureau: Bureau) -> Case:
    row = bureau.member("accountant")
    form = {"email": row.email, "name": "New name", "language": row.language, "time_zone": row.time_zone}
    ticks = {"is_active": "on", "is_staff": "on"}
    return Case(row, form | ticks, {"name": "New name"}, {"is_active": False, "sessions_ended": 7})


def password(bureau: Bureau) -> Case:
    words = dict.fromkeys(("password1", "password2"), "a-long-and-new-password")
    row = bureau.member("accountant")
    return Case(row, {**words, "usable_password": "true"}, {}, {"is_active": False, "sessions_ended": 7}, "password")


@pytest.mark.parametrize("make", [client, feed, webhook, token, organisation, person, password])
def test_what_happened_since_the_row_was_read_is_not_undone(bureau: Bureau, make: Any) -> None:
    case = make(bureau)
    rows = type(case.row)._base_manager.filter(pk=case.row.pk)
    table, name = case.row._meta.db_table, case.row._meta.label_lower.replace(".", "/")
    done: list[str] = []

    def others_first(execute: Any, sql: str, *rest: Any) -> Any:
        if not done and sql.startswith(f'UPDATE "{table}"'):
            done.append(sql)
            rows.update(**case.meanwhile)
        return execute(sql, *rest)

    browser = signed_in(UserFactory(is_staff=True, is_superuser=True))
    with database.execute_wrapper(others_first):
        answer = browser.post(f"/admin/{name}/{case.row.pk}/{case.page}/", case.form)

    assert answer.status_code == 302
    assert done
    found, expected = rows.get(), case.written | case.meanwhile
    assert {name: getattr(found, name) for name in expected} == expected


def test_only_what_was_changed_is_written(bureau: Bureau, owner: Browser) -> None:
    with CaptureQueriesContext(database) as asked:
        for _twice in range(2):
            owner.post(f"/admin/clients/client/{bureau.client.pk}/change/", {"number": "77", "name": "New name"})

    written = [one["sql"] for one in asked if one["sql"].startswith('UPDATE "clients_client"')]
    assert [re.findall(r'"(\w+)" =', sql.split("WHERE")[0]) for sql in written] == [["name"]]


def test_a_row_that_is_gone_meanwhile_is_not_made_again(
    bureau: Bureau, owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = token(bureau)

    def delete_first(_admin: Any, _request: Any, form: Any, change: bool) -> Any:  # noqa: FBT001 - Django's
        ApiToken._base_manager.filter(pk=case.row.pk).delete()
        return form.save(commit=False)

    monkeypatch.setattr(ApiTokenAdmin, "save_form", delete_first)

    assert owner.post(f"/admin/clients/apitoken/{case.row.pk}/change/", case.form).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(database.vendor == "sqlite", reason="SQLite lets nobody write meanwhile")
def test_a_name_saved_while_the_number_is_changed_leaves_the_books_hidden() -> None:
    bureau = make_bureau("nordvik", "987463104")
    read, changed = Event(), Event()

    def manager() -> None:
        """Has the row, and needs a moment more, when the other's form comes to write."""
        with system_scope("tests"), transaction.atomic():
            read.wait(20)
            change_number(client=bureau.client, number="985952442", actor=None, reason="wrong one")
            changed.set()
            sleep(1)
        database.close()

    def meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith("SELECT") and '"clients_client"."restricted"' in sql and "LIMIT 21" in sql:
            read.set()
            changed.wait(20)
        return result

    browser, thread = signed_in(bureau.member("owner")), Thread(target=manager)
    thread.start()
    with database.execute_wrapper(meanwhile):
        answer = browser.post(f"/admin/clients/client/{bureau.client.pk}/change/", {"number": "77", "name": "New name"})
    thread.join(20)

    assert answer.status_code == 302
    client = Client.objects.get(pk=bureau.client.pk)
    assert (client.name, client.organisation_number, client.hidden_at is not None) == ("New name", "985952442", True)


def test_a_country_that_brings_the_number_into_another_form_writes_it(bureau: Bureau, owner: Browser) -> None:
    raw = ClientFactory(
        organisation=bureau.organisation, name="Svea AB", country="US", organisation_number="556036-0793"
    )
    form = {"number": raw.number, "name": raw.name, "country": "SE", "organisation_number": "556036-0793"}

    assert owner.post(f"/admin/clients/client/{raw.pk}/change/", form).status_code == 302

    raw.refresh_from_db()
    assert (raw.country, raw.organisation_number) == ("SE", "5560360793")


def test_every_admin_of_ours_saves_in_this_way() -> None:
    wrong = []
    for model, page in admin.site._registry.items():
        if not model.__module__.startswith("apps."):
            continue
        kind = type(page)
        own = [one for one in kind.__mro__ if one.__module__.startswith("apps.") and "save_model" in vars(one)]
        past = [one for one in own if one is not BureauAdmin and "super().save_model(" not in inspect.getsource(one)]
        if (
            not isinstance(page, BureauAdmin)
            or own[-1] is not BureauAdmin
            or {one.__name__ for one in past} - set(OWN_WAY)
        ):
            wrong.append(f"{kind.__name__}: its form would write columns that it does not change")
        if any(not issubclass(inline, ReadOnlyInline) for inline in page.inlines):
            wrong.append(f"{kind.__name__}: rows of an inline are saved whole")
    assert not wrong, wrong
