"""A ledger file sent through the client's page, over real HTTP."""

import io
import re
import zipfile
from html import unescape
from typing import Any

import pytest
import requests

from apps.core.scope import Reach, reader_scope, system_scope
from apps.ledger.files import FileRefusedError
from apps.ledger.models import LedgerFile, Voucher
from apps.sync.actions import change_number
from apps.sync.imports import import_ledger_file
from tests.office.bureau import Bureau
from tests.organisations.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_NUMBER = "974760673"
FILE = """#FLAGGA 0
#FORMAT PC8
#SIETYP 4
#FNAMN "nordvik Nordlys AS"
#ORGNR 987463104
#RAR 0 20250101 20251231
#KONTO 1920 "Bank"
#KONTO 3000 "Sales"
#UB 0 1920 100.00
#RES 0 3000 -100.00
#VER A 1 20250115 "Sale"
{
#TRANS 1920 {} 100.00
#TRANS 3000 {} -100.00
}
"""


@pytest.fixture
def browser(bureau: Bureau, live_server: Any) -> Visitor:
    person = bureau.member("accountant")
    person.set_password(PASSWORD)
    person.save()
    made = Visitor(live_server.url)
    made.sign_in(person.email)
    return made


def send(browser: Visitor, bureau: Bureau, data: bytes, name: str = "ledger.se", **fields: str) -> requests.Response:
    path = f"{browser.address}/admin/clients/client/{bureau.client.pk}/files/add/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(path, timeout=30).text)
    assert token
    return browser.post(
        path, data={**fields, "csrfmiddlewaretoken": token[1]}, files={"file": (name, data)},
        headers={"Referer": path}, timeout=60,
    )  # fmt: skip


def held() -> tuple[int, int]:
    with system_scope("tests"):
        return LedgerFile.objects.count(), Voucher.objects.count()


def test_a_file_is_taken_in_also_out_of_an_archive(bureau: Bureau, browser: Visitor) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("books/ledger 2025.se", FILE)

    answer = send(browser, bureau, packed.getvalue(), "anything.pdf", replace="on")

    assert answer.url.endswith(f"/client/{bureau.client.pk}/change/")
    assert "Taken in: 1 voucher, 2 postings, 2 accounts. " in answer.text
    with system_scope("tests"):
        assert LedgerFile.objects.get().name == "ledger 2025.se"
        assert Voucher.objects.filter(date="2025-01-15").count() == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"%PDF-1.4 ...", "a PDF, whatever its name says"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><Sie>&e;</Sie>', "XML"),
        (FILE.replace("-100.00", "-1e9").encode(), "line 14"),
        (FILE.encode()[:-3], "not closed"),
        (b"", "The file is empty."),
        (b"PK\x03\x04 no archive", "damaged"),
    ],
    ids=["pdf", "xml", "amount", "cut", "empty", "zip"],
)
def test_what_cannot_be_taken_in_is_told_and_changes_nothing(
    bureau: Bureau, browser: Visitor, data: bytes, told: str
) -> None:
    before = held()

    answer = send(browser, bureau, data)

    assert answer.status_code == 200
    assert "Nothing was taken in." in answer.text
    assert told in unescape(answer.text)
    assert held() == before


@pytest.mark.parametrize("size", [3 * 2**19, 5 * 2**20], ids=["read", "cut"])
def test_a_file_that_is_too_large_is_told_with_the_command_and_never_kept(
    bureau: Bureau, browser: Visitor, settings: Any, size: int
) -> None:
    settings.KONTOR_UPLOAD_BYTES, settings.KONTOR_PAGE_UPLOAD_BYTES = 3 * 2**20, 2**20

    answer = send(browser, bureau, FILE.encode() + b"#NOTE\n" * (size // 6))

    assert (answer.status_code, "larger than the 1 MB that this page takes in" in answer.text) == (200, True)
    assert f"manage.py ledger import --client {bureau.organisation.slug}/77 FILE" in answer.text
    assert held() == (0, 1)


def test_an_archive_is_as_large_as_what_is_in_it(bureau: Bureau, browser: Visitor, settings: Any) -> None:
    settings.KONTOR_PAGE_UPLOAD_BYTES = 2**20
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.se", FILE.encode() + b"#NOTE\n" * 2**18)

    answer = send(browser, bureau, packed.getvalue(), replace="on")

    assert (answer.status_code, "manage.py ledger import" in answer.text) == (200, True)
    assert held() == (0, 1)


def test_no_file_is_taken_in_while_the_books_are_hidden(bureau: Bureau, browser: Visitor) -> None:
    card = f"/admin/clients/client/{bureau.client.pk}/change/"
    assert "Import a ledger file" in browser.see(card).text
    with system_scope("tests"):
        change_number(client=bureau.client, number=OTHER_NUMBER, actor=None, reason="typed wrong")
    before = held()

    seen = browser.see(card).text
    answer = send(browser, bureau, FILE.replace("987463104", OTHER_NUMBER).encode(), replace="on")

    assert "Import a ledger file" not in seen
    assert "No ledger file is taken in while the books are hidden." in seen
    assert answer.status_code == 200
    assert "a manager has not released what was read yet" in unescape(answer.text)
    assert held() == before


def test_a_file_meets_books_that_its_sender_was_not_shown(bureau: Bureau) -> None:
    """The sender's view is from before: hidden then, released meanwhile."""
    person = bureau.member("accountant")
    reach = Reach(whole=frozenset({bureau.organisation.pk}), closed=frozenset({bureau.client.pk}))
    send = {"client": bureau.client, "name": "a.se", "data": FILE.replace("2025", "2026").encode(), "actor": person}

    with reader_scope(person.roles(), reach, "tests"), pytest.raises(FileRefusedError) as refused:
        import_ledger_file(**send)

    assert refused.value.code == "file.owned_period"
    assert held() == (0, 1)


def test_who_may_not_work_sends_nothing(bureau: Bureau, other: Bureau, live_server: Any) -> None:
    for person, status in ((bureau.member("read_only"), 403), (other.member("owner"), 404)):
        person.set_password(PASSWORD)
        person.save()
        browser = Visitor(live_server.url)
        browser.sign_in(person.email)
        path = f"/admin/clients/client/{bureau.client.pk}/files/add/"

        assert browser.see(path).status_code == status
        assert browser.post(browser.address + path, files={"file": b"x"}, timeout=30).status_code == 403  # no token
    assert held() == (0, 2)
