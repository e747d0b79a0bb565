"""Absence is not deletion: rights that were taken away, and many vouchers that are really gone."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.connectors.actions import activate_shared, connect
from apps.connectors.sdk.sandbox import Answer
from apps.flows.actions import ensure_feed
from apps.flows.models import Feed
from apps.ledger.enums import Grade
from apps.ledger.models import Account, Lock, OpeningBalance, Voucher, VoucherVersion
from apps.notifications.models import Problem
from apps.sync.actions import release_disappearance
from apps.sync.engine import work
from apps.sync.enums import RunState, Stage
from apps.sync.models import SeenVoucher
from tests.factories import ClientFactory
from tests.sync.world import NUMBER, OTHER_NUMBER, PLAIN, Bookkeeping, Vendor, company, rent

Connected = Callable[..., Bookkeeping]
pytestmark = pytest.mark.django_db

MASS = "ledger.mass_disappearance"
DRAFT = rent("draft", "2026-04-12", "60.00", draft=True)


def many(count: int) -> list[Any]:
    """So many vouchers of the window, r0 first."""
    return [rent(f"r{n}", str(date(2026, 2, 1) + timedelta(days=n % 70)), "1.00") for n in range(count)]


@pytest.mark.parametrize("switch", ["right_withdrawn", "hidden_rows"])
def test_rows_hidden_by_the_vendor_delete_nothing_and_come_back(
    connected: Connected, vendor: Vendor, switch: str
) -> None:
    books = connected(company([*PLAIN, DRAFT], locked_until=date(2025, 12, 31)))
    books.night()
    before = books.kept()
    accounts, locks = Account.objects.count(), list(Lock.objects.values_list("kind", "until"))
    read_at = books.feed.read_at
    assert locks == [("period", date(2025, 12, 31))]
    vendor.fault(switch)

    run = books.night()

    assert run.state == RunState.PARTIAL
    assert books.kept() == before
    assert (Account.objects.count(), list(Lock.objects.values_list("kind", "until"))) == (accounts, locks)
    assert VoucherVersion.objects.count() == 0
    assert books.problems() == [MASS]
    gone = "7" if switch == "right_withdrawn" else "6"  # the draft's list is under another right
    assert books.problem().facts == {"gone": gone, "held": "7", "vendor": "Tripletex"}
    assert books.proof.grade == Grade.NOT_COMPLETE
    assert books.proof.missing == [{"kind": "mass_disappearance", "gone": gone, "held": "7"}]
    assert books.feed.read_at == read_at
    assert not SeenVoucher.objects.exists()

    vendor.mend(switch)
    run = books.night()

    assert run.state == RunState.SUCCEEDED
    assert books.kept() == before
    assert books.problems() == []
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert Problem.objects.get(code=MASS).resolved_at is not None


@pytest.mark.parametrize("switch", ["right_withdrawn", "hidden_rows"])
def test_rows_hidden_from_the_first_load_on_are_never_shown_as_agreeing(
    connected: Connected, vendor: Vendor, switch: str
) -> None:
    books = connected()
    vendor.fault(switch)

    run = books.night()

    assert run.state in (RunState.PARTIAL, RunState.FAILED)
    assert books.proof.grade == Grade.NOT_COMPLETE
    assert len(books.problems()) == 1

    vendor.mend(switch)
    assert books.night().state == RunState.SUCCEEDED
    assert books.problems() == []


def test_a_right_that_is_taken_away_night_after_night_is_one_problem(connected: Connected, vendor: Vendor) -> None:
    books = connected()
    books.night()
    before = books.kept()
    vendor.fault("right_withdrawn")

    books.night()
    books.night()

    assert (books.kept(), books.problem().times) == (before, 2)


@pytest.mark.parametrize(
    ("held", "gone", "guarded"),
    [
        (1000, 20, False),  # not more than 20, and not more than 2 %
        (1000, 21, True),  # more than 20
        (250, 5, False),  # 5 are exactly 2 %
        (249, 5, True),  # 5 are more than 2 %
        (5, 4, False),  # 4 are few, whatever they are of
        (6, 5, True),
    ],
)
def test_the_limits_of_a_mass_disappearance(
    connected: Connected, vendor: Vendor, held: int, gone: int, guarded: Any
) -> None:
    books = connected(company(many(held)))
    books.night()
    before = books.kept()
    ids = [vendor.id_of(f"r{n}") for n in range(gone)]
    vendor.mouth.store.drop("main", "voucher", ids)

    run = books.night()

    assert Voucher.objects.filter(deleted_at=None).count() == (held if guarded else held - gone)
    assert run.counts["deleted"] == (0 if guarded else gone)
    assert books.problems() == ([MASS] if guarded else [])
    assert (books.kept() == before) == guarded
    if guarded:
        assert books.problem().facts["gone"] == str(gone)
        assert books.proof.differences[0]["period"] == "2026-02"


def test_vouchers_that_are_really_gone_go_when_staff_release_them_and_the_word_counts_once(
    connected: Connected, vendor: Vendor
) -> None:
    books = connected(company([*PLAIN, *many(60)]))
    books.night()
    for n in range(30):
        vendor.edit("delete", f"r{n}")
    assert books.night().state == RunState.PARTIAL
    assert books.problem().facts["gone"] == "30"

    run = books.finish(release_disappearance(feed=books.feed, actor=None))

    assert (run.state, run.counts["deleted"]) == (RunState.SUCCEEDED, 30)
    assert books.problems() == []
    assert VoucherVersion.objects.filter(move="deleted", effect=Decimal("1.00")).count() == 30
    assert books.movement("6300") == Decimal("430.00")

    for n in range(30, 55):
        vendor.edit("delete", f"r{n}")
    assert books.night().counts["deleted"] == 0
    assert books.problems() == [MASS]


def test_many_that_moved_out_of_the_window_are_moved_and_no_disappearance_in_slices_too(
    connected: Connected, vendor: Vendor, settings: Any
) -> None:
    books = connected(company([*PLAIN, *many(60)]))
    books.night()
    for n in range(25):
        vendor.edit("redate", f"r{n}", day=date(2026, 1, 3))
    for n in range(25, 29):
        vendor.edit("delete", f"r{n}")
    settings.KONTOR_SLICE_SECONDS = 0.0

    run = books.night()

    assert (run.state, run.counts["moved"], run.counts["deleted"]) == (RunState.SUCCEEDED, 25, 4)
    assert (books.problems(), books.findings()) == ([], [])
    assert books.movement("6300", 202601) == Decimal("125.00")


def test_a_release_given_while_a_run_is_ending_counts_for_the_next_one(
    connected: Connected, vendor: Vendor, settings: Any
) -> None:
    books = connected(company([*PLAIN, *many(60)]))
    books.night()
    for n in range(30):
        vendor.edit("delete", f"r{n}")

    settings.KONTOR_SLICE_SECONDS = 0.0
    run = books.start()
    while run.stage != Stage.PROVE:
        work(run.pk)
        run.refresh_from_db()
    Feed.objects.filter(pk=books.feed.pk).update(release_disappearance=True)
    assert books.finish(run).counts["deleted"] == 0

    run = books.night()

    assert run.counts["deleted"] == 30
    assert run.state == RunState.SUCCEEDED
    assert books.feed.release_disappearance is False


def test_all_vouchers_of_a_dormant_company_hidden_delete_nothing(connected: Connected, vendor: Vendor) -> None:
    books = connected(company(PLAIN[:2]))  # nothing at all in the window
    books.night()
    before = books.kept()
    vendor.fault("right_withdrawn")

    run = books.night()

    assert run.state == RunState.PARTIAL
    assert books.kept() == before
    assert books.problems() == [MASS]
    assert OpeningBalance.objects.exists()


@pytest.mark.parametrize("held", ["as it is", "with losses"])
def test_a_voucher_that_a_list_leaves_out_is_kept_and_named_until_it_is_listed_again(
    connected: Connected, vendor: Vendor, held: str
) -> None:
    books = connected()
    books.night()
    before = books.balances()
    left_out = int(vendor.id_of("rent-mar"))
    if held == "with losses":  # its text was read through a code page, and the look-up says more
        Voucher.objects.filter(external_id=left_out).update(text="Hyra ?", hash="of the text that was read")

    def without(request: Any, count: int) -> Any:
        if request.path != "/v2/ledger/voucher":
            return None
        answer = vendor.mouth.sandbox.handle(request)
        if answer.status != 200:
            return answer
        body = json.loads(answer.body)
        body["values"] = [row for row in body["values"] if row["id"] != left_out]
        body["versionDigest"] = None
        return Answer(status=200, headers=answer.headers, body=json.dumps(body).encode())

    vendor.fault("slow", {"seconds": 0})  # raises the stamp, so that no page is 304
    Feed.objects.update(whole_pass_at=None)
    vendor.mouth.speak("/ledger/voucher", without)
    run = books.night()

    assert (run.state, run.counts["deleted"]) == (RunState.SUCCEEDED, 0)
    assert (books.balances(), VoucherVersion.objects.count()) == (before, 0)
    assert books.findings() == ["not_whole"]
    assert books.feed.whole_pass_at is None  # it was not whole

    vendor.mouth.speak("", None)
    books.night()

    assert books.findings() == []
    assert books.feed.whole_pass_at is not None


BUREAU = "the-bureau-key"
OPENED = {"keys": [{"employee_token": BUREAU, "kind": "bureau"}], "opened_to": [BUREAU]}


def through_the_bureau(vendor: Vendor, **access: Any) -> Bookkeeping:
    """A client connected through the bureau's one key, with its own organisation number in place of %ORGNR%."""
    vendor.seed(company(PLAIN[:2], key="other", number=OTHER_NUMBER), **OPENED)
    vendor.seed(company(), **access)
    client = ClientFactory(organisation_number=NUMBER, name="Fjordglimt AS")
    values = {"api_key": BUREAU, "org_nr": "%ORGNR%"}
    shared = activate_shared(
        organisation=client.organisation, provider="tripletex", auth="", values=values, secrets={}, actor=None
    )
    assert shared.connector is not None
    connection = connect(client=client, connector=shared.connector, actor=None)
    return Bookkeeping(vendor, ensure_feed(connection=connection, actor=None))


@pytest.mark.usefixtures("today", "quick", "scope")
def test_a_company_that_is_opened_to_the_key_later_is_read_without_anyones_help(vendor: Vendor) -> None:
    books = through_the_bureau(vendor)

    assert books.night().state == RunState.FAILED
    assert books.problems() == ["tripletex.company_not_opened"]
    assert books.problem().facts["org_nr"] == NUMBER
    assert Voucher.objects.count() == 0

    vendor.seed(company(), **OPENED)
    run = books.night()

    assert (run.state, books.problems()) == (RunState.SUCCEEDED, [])
    assert books.proof.grade == Grade.CONTROL_TOTALS
    assert Voucher.objects.count() == 8


@pytest.mark.usefixtures("today", "quick", "scope")
def test_access_that_is_withdrawn_deletes_nothing_and_is_told_apart(vendor: Vendor) -> None:
    books = through_the_bureau(vendor, **OPENED)
    assert books.night().state == RunState.SUCCEEDED
    before = books.kept()
    vendor.fault("withdrawn")

    for _ in range(2):
        assert books.night().state == RunState.FAILED
        assert books.problems() == ["tripletex.access_withdrawn"]
        assert books.proof.grade == Grade.NOT_COMPLETE
        assert books.kept() == before

    vendor.mend("withdrawn")
    assert (books.night().state, books.problems()) == (RunState.SUCCEEDED, [])
    assert books.kept() == before
