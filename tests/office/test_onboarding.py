"""The pages of taking in clients: who may see them, what is shown before anything is made, and the files."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditLine
from apps.clients.models import Client
from apps.connectors.models import Connection
from apps.core.scope import system_scope
from apps.onboarding.models import Batch, Line
from tests.factories import ClientFactory, ConnectionFactory, ConnectorFactory
from tests.office.bureau import signed_in
from tests.onboarding.keys import norwegian

FREE = "923609016"
SHARED = {"values": {"org_nr": "%ORGNR%"}, "verified_at": timezone.now()}


@pytest.fixture(autouse=True)
def _scope(db: None) -> Any:
    with system_scope("tests"):
        yield


def send(browser: Any, organisation: Any, text: str, **more: Any) -> Any:
    file = SimpleUploadedFile("klienter.csv", text.encode(), content_type="text/csv")
    return browser.post("/admin/onboarding/file/", {"organisation": organisation.pk, "file": file, **more})


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("manager", 200), ("accountant", 403), ("read_only", 403)]
)
def test_only_owners_and_managers_take_in_and_export(bureau: Any, role: str, status: int) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="open", actor="x")
    line = Line.objects.create(batch=batch, position=2, number="5", name="Ny AS", country="NO", verdict="new")
    connector = ConnectorFactory(organisation=bureau.organisation, **SHARED)
    browser = signed_in(bureau.member(role))
    paths = ["", f"{batch.pk}/", f"{batch.pk}/progress/", f"{batch.pk}/report.csv"]
    paths += [f"clients/{bureau.organisation.pk}.csv"]

    assert [browser.get(f"/admin/onboarding/{path}").status_code for path in paths] == [status] * 5
    sent = [browser.post(f"/admin/onboarding/{batch.pk}/start/", {"line": line.pk}).status_code]
    sent += [browser.post(f"/admin/onboarding/{batch.pk}/again/").status_code]
    sent += [browser.post(f"/admin/onboarding/discover/{connector.pk}/").status_code]
    sent += [send(browser, bureau.organisation, f"orgnr;navn\n{FREE};A\n").status_code]
    assert sent == [302 if status == 200 else 403] * 4
    assert OrmQ.objects.exists() == (status == 200)


def test_a_key_counts_the_clients_that_the_reader_sees(bureau: Any, owner: Any) -> None:
    shared = ConnectorFactory(organisation=bureau.organisation, **SHARED)
    for restricted in (False, True, True):
        client = ClientFactory(organisation=bureau.organisation, restricted=restricted)
        ConnectionFactory(client=client, connector=shared)
    idle = ConnectorFactory(organisation=bureau.organisation, **SHARED)

    (shown,) = owner.get("/admin/onboarding/").context_data["bureaus"]

    counts = {key.connector.pk: key.clients for key in shown["keys"]}
    assert (counts[shared.pk], counts[idle.pk]) == (1, 0)


def test_another_bureaus_batches_connectors_and_clients_are_not_there(bureau: Any, other: Any, owner: Any) -> None:
    batch = Batch.objects.create(organisation=other.organisation, origin="file", state="open", actor="x")
    line = Line.objects.create(batch=batch, position=2, number="5", name="Ny AS", country="NO", verdict="new")
    connector = ConnectorFactory(organisation=other.organisation, **SHARED)
    get = [f"{batch.pk}/", f"{batch.pk}/progress/", f"{batch.pk}/report.csv", f"clients/{other.organisation.pk}.csv"]

    assert [owner.get(f"/admin/onboarding/{path}").status_code for path in get] == [404] * 4
    assert owner.post(f"/admin/onboarding/{batch.pk}/start/", {"line": line.pk}).status_code == 404
    assert owner.post(f"/admin/onboarding/{batch.pk}/again/").status_code == 404
    assert owner.post(f"/admin/onboarding/discover/{connector.pk}/").status_code == 404
    assert send(owner, other.organisation, f"orgnr;navn\n{FREE};A\n").status_code == 404
    mine = bureau.organisation
    assert send(owner, mine, f"orgnr;navn\n{FREE};A\n", connector=connector.pk).status_code == 404
    assert not Batch.objects.filter(organisation=mine).exists()
    assert not OrmQ.objects.exists()


def test_a_file_is_shown_line_by_line_before_anything_is_made(bureau: Any, owner: Any) -> None:
    text = f"nr;navn;orgnr\n900;Ny AS;{FREE}\n77;Annet navn AS;987463104\n901;Feil AS;111111112\n77;X;{FREE}\n"

    page = owner.get(send(owner, bureau.organisation, text).url)

    shown = page.content.decode()
    assert "The file has 4 clients. 2 to do, 2 refused." in shown
    assert "new client" in shown
    assert "nordvik Nordlys AS → <strong>Annet navn AS</strong>" in shown
    assert "Line 4, organisation number: “111111112” is not an organisation number of NO" in shown
    assert "Line 5, organisation number: Client 77 (nordvik Nordlys AS) has organisation number 987463104" in shown
    assert shown.count('name="line"') == 2
    assert (Client.objects.count(), OrmQ.objects.count()) == (1, 0)


def test_the_first_number_that_is_offered_is_one_that_no_line_asks_for(bureau: Any, owner: Any) -> None:
    page = owner.get(send(owner, bureau.organisation, f"nr;orgnr;navn\n;{FREE};A\n78;985952442;B\n").url)

    assert 'name="first_number" value="79"' in page.content.decode()


def test_a_file_that_cannot_be_read_is_told_on_the_page(bureau: Any, owner: Any) -> None:
    page = send(owner, bureau.organisation, "foo;bar\n1;2\n")

    assert page.status_code == 200
    assert "klienter.csv: Line 1 names no column that is known." in page.content.decode()
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "klienter.csv: The file is empty."),
        ("a" * (5 * 2**20 + 1), "klienter.csv: The file is larger than 5 MB."),
        ("a" * (8 * 2**20), "The file is larger than 5 MB."),  # more than is ever kept
        ("a" * 140_000, "klienter.csv: Line 1 has a quotation mark"),
    ],
    ids=["empty", "large", "cut", "cell"],
)
def test_an_empty_or_too_large_file_is_told_with_what_to_do(
    bureau: Any, owner: Any, settings: Any, text: str, told: str
) -> None:
    settings.KONTOR_UPLOAD_BYTES = 7 * 2**20

    page = send(owner, bureau.organisation, text)

    assert page.status_code == 200
    assert f"<strong>{told}" in page.content.decode()
    assert not Batch.objects.exists()


def test_markup_in_a_file_stays_text(bureau: Any, owner: Any) -> None:
    text = f'nr;navn;orgnr\n900;"<script>alert(1)</script>";{FREE}\n901;"<img src=x>";"<b>1"\n'

    shown = owner.get(send(owner, bureau.organisation, text).url).content.decode()

    assert "<script>alert" not in shown
    assert "<img src=x>" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_what_is_ticked_is_started_once(bureau: Any, owner: Any) -> None:
    batch = Batch.objects.get(
        pk=send(owner, bureau.organisation, f"nr;navn;orgnr\n900;Ny AS;{FREE}\n901;B AS;985952442\n").url.split("/")[3]
    )
    first = batch.lines.first()

    for _ in range(2):
        owner.post(f"/admin/onboarding/{batch.pk}/start/", {"line": first.pk, "first_number": "7000"})

    batch.refresh_from_db()
    assert (batch.state, batch.first_number) == ("working", 7000)
    assert [line.state for line in batch.lines.all()] == ["waiting", "listed"]
    assert OrmQ.objects.count() == 1
    told = owner.get(f"/admin/onboarding/{batch.pk}/progress/").json()
    assert (told["live"], told["text"], told["lines"]) == (True, "0 of 1 companies", [])


@pytest.mark.parametrize("first", ["x", "-1", "1e9", "12345678901"])
def test_nothing_starts_without_a_tick_or_with_a_bad_first_number(bureau: Any, owner: Any, first: str) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="open", actor="x")
    line = Line.objects.create(batch=batch, position=2, number="5", name="Ny AS", country="NO", verdict="new")

    owner.post(f"/admin/onboarding/{batch.pk}/start/", {"line": line.pk, "first_number": first})
    owner.post(f"/admin/onboarding/{batch.pk}/start/", {"first_number": "1"})

    batch.refresh_from_db()
    assert (batch.state, OrmQ.objects.count()) == ("open", 0)


def test_known_companies_are_shown_as_such(bureau: Any, owner: Any) -> None:
    connector = ConnectorFactory(organisation=bureau.organisation, **SHARED)
    there = ClientFactory(organisation=bureau.organisation, number="80", name="Koblet AS")
    Connection.objects.create(client=there, connector=connector, state="active")
    batch = Batch.objects.create(
        organisation=bureau.organisation, connector=connector, origin="discover", state="open", actor="x"
    )
    for position, (client, verdict) in enumerate([(there, "same"), (bureau.client, "same"), (None, "new")], start=1):
        Line.objects.create(batch=batch, position=position, name=f"S {position}", client=client, verdict=verdict)

    shown = owner.get(f"/admin/onboarding/{batch.pk}/").content.decode()

    assert "The key reaches 3 companies. 2 to do." in shown
    assert shown.count('name="line"') == 2
    assert shown.index("connected already") < shown.index("client, not connected yet") < shown.index("new client")


@pytest.mark.parametrize("rows", [20, 600])
def test_hundreds_of_companies_cost_no_more_questions_than_twenty(
    bureau: Any, owner: Any, rows: int, django_assert_max_num_queries: Any
) -> None:
    connector = ConnectorFactory(organisation=bureau.organisation, **SHARED)
    batch = Batch.objects.create(
        organisation=bureau.organisation, connector=connector, origin="discover", state="open", actor="x"
    )
    Line.objects.bulk_create(
        Line(batch=batch, position=n, name=f"Selskap {n}", organisation_number=str(n), country="NO", verdict="new")
        for n in range(rows)
    )
    with django_assert_max_num_queries(14) as asked:
        page = owner.get(f"/admin/onboarding/{batch.pk}/")

    assert page.content.count(b'name="line"') == rows
    assert sum('FROM "onboarding_line"' in one["sql"] and "COUNT" not in one["sql"] for one in asked) == 1
    ticked = {"line": [line.pk for line in batch.lines.all()], "first_number": "1"}
    with django_assert_max_num_queries(17):
        owner.post(f"/admin/onboarding/{batch.pk}/start/", ticked)
    assert Line.objects.filter(state="waiting").count() == rows


def test_the_report_has_pages_and_the_refused_lines_come_first(bureau: Any, owner: Any) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="ended", actor="x")
    Line.objects.bulk_create(
        Line(batch=batch, position=n, name=f"S{n}", verdict="new", state="refused" if n == 250 else "made")
        for n in range(1, 302)
    )

    pages = [owner.get(f"/admin/onboarding/{batch.pk}/?page={number}").content.decode() for number in (1, 2, "x")]

    assert [page.count('id="line-') for page in pages] == [200, 101, 200]
    assert pages[0].index(">S250 ") < pages[0].index(">S1 ")
    assert ['?page=2"' in pages[0], '?page=1"' in pages[1]] == [True, True]


def test_more_than_a_thousand_ticks_arrive(bureau: Any, owner: Any) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="open", actor="x")
    Line.objects.bulk_create(Line(batch=batch, position=n, number=str(n), verdict="new") for n in range(2500))

    owner.post(f"/admin/onboarding/{batch.pk}/start/", {"line": [line.pk for line in batch.lines.all()]})

    assert Line.objects.filter(state="waiting").count() == 2500


def test_the_page_is_told_of_each_line_once(bureau: Any, owner: Any) -> None:
    batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="working", actor="x")
    for n in range(3):
        Line.objects.create(
            batch=batch, position=n, name=f"S{n}", verdict="new", state="made", made=["client", "feed"], chosen=True,
            done_at=timezone.now() + timedelta(seconds=n),
        )  # fmt: skip
    Line.objects.create(batch=batch, position=8, name="S8", verdict="refused", state="refused")  # by the check
    last = Line.objects.create(batch=batch, position=9, name="S9", verdict="new", state="waiting", chosen=True)

    first = owner.get(f"/admin/onboarding/{batch.pk}/progress/?seen=0").json()
    then = owner.get(f"/admin/onboarding/{batch.pk}/progress/?seen={first['seen']}").json()

    assert (len(first["lines"]), first["seen"], first["text"], first["percent"]) == (4, 4, "4 of 5 companies", 80)
    assert first["lines"][1]["text"] == "client made, read from the next night on"
    assert then["lines"] == []
    Line.objects.filter(pk=last.pk).update(state="made", done_at=timezone.now() + timedelta(seconds=9))
    then = owner.get(f"/admin/onboarding/{batch.pk}/progress/?seen={first['seen']}").json()
    assert [line["id"] for line in then["lines"]] == [last.pk]


def test_the_export_is_safe_for_a_spreadsheet_audited_and_taken_in_again_without_a_change(
    bureau: Any, owner: Any
) -> None:
    bad = ['=HYPERLINK("http://x")', "+47", "-1", "@x", "\t=1"]
    for index, name in enumerate(bad):
        ClientFactory(organisation=bureau.organisation, number=str(90 + index), name=name)

    answer = owner.get(f"/admin/onboarding/clients/{bureau.organisation.pk}.csv")

    text = answer.content.decode("utf-8-sig")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer["Content-Disposition"].startswith('attachment; filename="clients-nordvik-')
    assert text.splitlines()[0] == "number;name;country;organisation_number;time_zone;responsible"
    assert text.count(";'") + text.count(";\"'") == len(bad)
    assert AuditLine.objects.get(action="clients.exported").details == {"clients": 6}
    before = list(Client.objects.order_by("pk").values())
    page = owner.get(send(owner, bureau.organisation, text).url).content.decode()
    assert "The file has 6 clients. 0 to do." in page
    assert 'name="line"' not in page
    assert list(Client.objects.order_by("pk").values()) == before


def test_the_report_is_a_file_with_remedies(bureau: Any, owner: Any) -> None:
    batch = Batch.objects.get(
        pk=send(owner, bureau.organisation, f"nr;navn;orgnr\n900;=Ny AS;{FREE}\n901;Feil AS;1\n").url.split("/")[3]
    )

    text = owner.get(f"/admin/onboarding/{batch.pk}/report.csv").content.decode("utf-8-sig")

    lines = text.splitlines()
    assert lines[1].startswith(f"2;900;'=Ny AS;{FREE};not chosen")
    assert "check digit" in lines[2]
    batch.lines.filter(position=2).update(state="made", made=["client", "connection", "feed"])
    again = owner.get(f"/admin/onboarding/{batch.pk}/report.csv").content.decode("utf-8-sig")
    assert again.splitlines()[1].split(";")[5] == "client made, connected, read from the next night on"
    assert "Look it up in the company register" in lines[2]


def test_the_number_of_the_test_is_a_norwegian_one() -> None:
    from apps.clients.identifiers import clean_organisation_number

    assert clean_organisation_number("NO", norwegian(7)) == norwegian(7)
