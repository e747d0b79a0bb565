from datetime import date
from decimal import Decimal

import pytest
from django.db import connection as database
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.ledger.enums import Grade, Move
from apps.ledger.models import VoucherVersion
from apps.sync.enums import RunState, Stage
from apps.sync.models import Run
from tests.factories import ClientFactory
from tests.office.bureau import Bureau, differ, prove, run_of, signed_in, trouble


def text(browser: Browser, bureau: Bureau) -> str:
    return browser.get(f"/admin/clients/client/{bureau.client.pk}/change/").content.decode()


def runs_of(bureau: Bureau) -> list[Run]:
    with system_scope("tests"):
        return list(Run.objects.filter(client=bureau.client))


def test_the_first_line_says_the_state_in_words(bureau: Bureau, owner: Browser) -> None:
    page = text(owner, bureau)

    assert "agrees with control totals (Tripletex, read " in page
    assert "; last entry 15 Mar" in page
    assert 'class="k-state k-large k-green"' in page


def test_a_difference_is_named_by_account_period_and_amount(bureau: Bureau, owner: Browser) -> None:
    differ(bureau.client)
    trouble(bureau.connection)

    page = text(owner, bureau)

    assert "not complete: 1 account differs by 240.00 (Tripletex, " in page
    assert "<td>1920 Bank</td><td>2026-03</td><td>movement</td>" in page
    assert 'class="k-num">−240.00</td>' in page
    assert 'class="k-state k-large k-red"' in page


def test_not_provable_is_outlined_and_never_plain_green(bureau: Bureau, owner: Browser) -> None:
    prove(bureau.client, Grade.NOT_PROVABLE)

    assert 'class="k-state k-large k-outline"' in text(owner, bureau)


def test_a_stopped_run_takes_the_green_away(bureau: Bureau, owner: Browser) -> None:
    run_of(bureau.feed, RunState.FAILED)

    page = text(owner, bureau)

    assert "not complete: the last run stopped before its end" in page
    assert 'class="k-state k-large k-amber"' in page


def test_a_problem_shows_its_steps_and_the_button(bureau: Bureau, owner: Browser) -> None:
    trouble(bureau.connection)

    page = text(owner, bureau)

    assert "The key of Nordlys is not accepted." in page
    assert "<li>Make a new key.</li>" in page
    assert f'action="/admin/connections/{bureau.connection.pk}/activate/"' in page


@pytest.mark.parametrize(
    ("form", "window"),
    [
        ({"span": "since", "since": "2026-02-01"}, date(2026, 2, 1)),
        ({"span": "year"}, date(2026, 1, 1)),
    ],
)
def test_synchronize_starts_a_run_of_the_chosen_window(
    bureau: Bureau, owner: Browser, form: dict[str, str], window: date
) -> None:
    answer = owner.post(f"/admin/clients/client/{bureau.client.pk}/synchronize/", form)

    assert answer.status_code == 302
    assert [(run.kind, run.window_from) for run in runs_of(bureau)] == [("manual", window)]
    assert OrmQ.objects.count() == 1


def test_synchronize_without_a_day_starts_nothing(bureau: Bureau, owner: Browser) -> None:
    answer = owner.post(f"/admin/clients/client/{bureau.client.pk}/synchronize/", {"span": "since"}, follow=True)

    assert "Choose the day to read from." in answer.content.decode()
    assert runs_of(bureau) == []


def test_recalculate_starts_a_recalculation(bureau: Bureau, owner: Browser) -> None:
    owner.post(f"/admin/clients/client/{bureau.client.pk}/recalculate/")

    assert [run.kind for run in runs_of(bureau)] == ["recalculation"]


@pytest.mark.parametrize("role", ["reviewer", "read_only", "auditor"])
def test_who_only_reads_sees_no_buttons_and_starts_nothing(bureau: Bureau, role: str) -> None:
    browser = signed_in(bureau.member(role))

    page = text(browser, bureau)
    refused = browser.post(f"/admin/clients/client/{bureau.client.pk}/synchronize/", {"span": "days"})

    assert "synchronize/" not in page
    assert refused.status_code == 403
    assert runs_of(bureau) == []


def test_a_button_is_never_pressed_by_a_link(bureau: Bureau, owner: Browser) -> None:
    assert owner.get(f"/admin/clients/client/{bureau.client.pk}/synchronize/").status_code == 405


def test_of_the_vouchers_that_moved_only_those_shown_are_read(bureau: Bureau, owner: Browser) -> None:
    reading = run_of(bureau.feed, finished_at=timezone.now())
    with system_scope("tests"):
        VoucherVersion.objects.bulk_create(
            VoucherVersion(
                client=bureau.client, voucher=bureau.voucher, version=number, move=Move.META if number > 45 else move,
                effect=Decimal("2.50"), period=202603, in_closed=number <= 12, run_id=reading.pk, seen_at=timezone.now(),
            )
            for number, move in enumerate([Move.CHANGED] * 48, 1)
        )  # fmt: skip

    with CaptureQueriesContext(database) as asked:
        page = text(owner, bureau)

    assert "45 vouchers, 12 in closed periods; effect on result 112.50" in page
    assert "and 15 more on the page of the run" in page
    rows = [one["sql"] for one in asked if '"ledger_voucherversion"."before"' in one["sql"]]
    assert [sql.rpartition("LIMIT")[2].split() for sql in rows] == [["30"]]


def test_progress_counts_in_words(bureau: Bureau, owner: Browser) -> None:
    run_of(bureau.feed, RunState.RUNNING, done=1240, expected=3100)

    told = owner.get(f"/admin/clients/client/{bureau.client.pk}/progress/").json()

    assert told["live"] is True
    assert told["text"] == "1,240 of about 3,100 vouchers"
    assert told["percent"] == 40
    assert told["state"]["colour"] == "green"


def test_an_auditor_is_not_told_of_runs_and_problems(bureau: Bureau) -> None:
    trouble(bureau.connection)
    run_of(bureau.feed, RunState.RUNNING, done=1240, expected=3100)
    auditor = signed_in(bureau.member("auditor"))

    told = auditor.get(f"/admin/clients/client/{bureau.client.pk}/progress/").json()

    assert set(told) == {"state"}
    assert "data-k-progress" not in text(auditor, bureau)


def test_progress_names_the_step_where_nothing_is_counted(bureau: Bureau, owner: Browser) -> None:
    run_of(bureau.feed, RunState.RUNNING, stage=Stage.PROVE)

    assert (
        owner.get(f"/admin/clients/client/{bureau.client.pk}/progress/").json()["text"] == "Comparing with the source"
    )


def test_an_organisation_number_in_use_is_not_changed_in_passing(bureau: Bureau, owner: Browser) -> None:
    address = f"/admin/clients/client/{bureau.client.pk}/change/"

    page = owner.get(address).content.decode()
    owner.post(address, {"number": "77", "name": "New name", "organisation_number": "985952442"})

    assert f'href="{address.removesuffix("change/")}number/"' in page
    assert 'name="organisation_number"' not in page
    with system_scope("tests"):
        client = Client.objects.get(pk=bureau.client.pk)
    assert (client.name, client.organisation_number) == ("New name", "987463104")


def test_a_free_organisation_number_is_changed_and_audited(bureau: Bureau, owner: Browser) -> None:
    free = ClientFactory(organisation=bureau.organisation, organisation_number="985952442")
    form = {"number": free.number, "name": free.name, "country": "NO", "organisation_number": "991788964"}

    owner.post(f"/admin/clients/client/{free.pk}/change/", form)

    with system_scope("tests"):
        assert Client.objects.get(pk=free.pk).organisation_number == "991788964"
        assert AuditLine.objects.filter(action="client.organisation_number_changed").count() == 1


def test_an_accountant_does_not_edit_clients(bureau: Bureau) -> None:
    browser = signed_in(bureau.member("accountant"))

    answer = browser.post(f"/admin/clients/client/{bureau.client.pk}/change/", {"name": "Taken over"})

    assert answer.status_code == 403
