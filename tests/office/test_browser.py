"""The admin in a real browser: no page breaks the policy that we send, and signing in with two steps works by hand."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from apps.core.scope import system_scope
from apps.notifications.models import Webhook, WebhookSecret
from apps.onboarding.models import Batch, Line
from apps.organisations.models import SecondFactor
from tests.office.bureau import Bureau, trouble
from tests.organisations.visitor import PASSWORD, code_of, wrong_code

pytestmark = pytest.mark.django_db(transaction=True)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SHOTS = os.environ.get("KONTOR_SCREENS")


@pytest.fixture
def _today() -> None:
    """The browser and its cookies live in the real time, not in office's fixed one."""


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Chromium; `make test` sees to it that there is one (`make chromium`)."""
    from playwright.sync_api import sync_playwright

    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright runs a loop in this thread
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield started
        started.close()


class Watched:
    """A page, and everything that its console said against us."""

    def __init__(self, browser: Any, address: str, width: int = 1440) -> None:
        self.page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.address, self.complaints = address, list[str]()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def _heard(self, message: Any) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def go(self, path: str) -> Any:
        return self.page.goto(self.address + path, wait_until="load")

    def shoot(self, name: str) -> None:
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def member(bureau: Bureau, role: str = "owner") -> Any:
    person = bureau.member(role)
    person.set_password(PASSWORD)
    person.save()
    return person


def signed_in(watched: Watched, email: str) -> None:
    watched.go("/admin/")
    watched.page.fill("input[name=username]", email)
    watched.page.fill("input[name=password]", PASSWORD)
    watched.page.click("button[type=submit]")
    watched.page.wait_for_load_state("networkidle")


def test_no_page_of_the_admin_breaks_the_policy_and_what_moves_in_them_moves(
    browser: Any, bureau: Bureau, live_server: Any
) -> None:
    trouble(bureau.connection)
    person = member(bureau)
    person.is_superuser = True
    person.save()
    watched = Watched(browser, live_server.url)
    signed_in(watched, person.email)
    with system_scope("tests"):
        batch = Batch.objects.create(organisation=bureau.organisation, origin="file", state="open", actor="x")
        Line.objects.create(batch=batch, position=1, number="5", name="Ny AS", country="NO", verdict="new")
        hook = Webhook.objects.create(
            organisation=bureau.organisation, name="Case system", host="hooks.example", all_clients=True
        )
        WebhookSecret.objects.create(webhook=hook, url="https://hooks.example/k", secret="whsec_AAAA")
    lists = [
        reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_changelist") for kind in admin.site._registry
    ]
    client = f"/admin/clients/client/{bureau.client.pk}"
    pages = [
        "/admin/", f"{client}/change/", f"{client}/balances/", f"{client}/integrations/add/", f"{client}/files/add/",
        f"{client}/history/", f"/admin/connections/{bureau.connection.pk}/",
        f"/admin/connectors/{bureau.connection.connector_id}/", "/admin/clients/client/add/", "/admin/password_change/",
        f"{client}/number/", f"{client}/access/", "/admin/restricted/", "/admin/onboarding/",
        f"/admin/onboarding/{batch.pk}/", "/admin/notifications/webhook/add/",
        f"/admin/notifications/webhook/{hook.pk}/change/",
        f"/admin/organisations/user/{person.pk}/change/", f"/admin/ledger/voucher/{bureau.voucher.pk}/change/", *lists,
    ]  # fmt: skip

    for path in pages:
        answer = watched.go(path)
        assert answer.status == 200, path
        assert "'unsafe-eval'" in answer.headers["content-security-policy"], path
    assert len(pages) > 32
    assert not watched.complaints, watched.complaints
    # Alpine is alive: the menu of the account opens, with the way to the second factor in it
    watched.go("/admin/")
    link = watched.page.get_by_role("link", name="Two-factor sign-in")
    assert not link.is_visible()
    watched.page.locator("[x-on\\:click*='openUserLinks']").first.click()
    link.wait_for(state="visible")
    # and the policy is in force: what it forbids does not happen
    watched.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.k = 1'; document.body.append(s) }"
    )
    assert watched.page.evaluate("() => window.k") is None
    assert any("Content Security Policy" in text for text in watched.complaints), "the console is heard"


@pytest.mark.parametrize("width", [390, 1440])
def test_two_steps_by_hand(browser: Any, bureau: Bureau, live_server: Any, settings: Any, width: int) -> None:
    settings.KONTOR_TWO_FACTOR, settings.KONTOR_OTP_THROTTLE_SECONDS = True, 0
    person = member(bureau)
    watched = Watched(browser, live_server.url, width)
    page = watched.page
    watched.go("/admin/")
    watched.shoot(f"sign_in-{width}")

    signed_in(watched, person.email)
    page.get_by_text("I cannot scan it").click()
    watched.shoot(f"factor_set_up-{width}")
    factor = SecondFactor.objects.get(user=person)
    drawn = page.locator(".k-qr svg path").last.bounding_box()  # the whole picture is in its frame, and large enough
    frame = page.locator(".k-qr").bounding_box()
    assert 130 < drawn["width"] < frame["width"] - 10
    assert drawn["y"] + drawn["height"] < frame["y"] + frame["height"]
    page.fill("input[name=code]", wrong_code(factor.key))
    page.get_by_role("button", name="Turn on two-factor sign-in").click()
    page.get_by_text("This code is not right").wait_for()
    watched.shoot(f"factor_wrong-{width}")
    page.fill("input[name=code]", code_of(factor.key))
    page.get_by_role("button", name="Turn on two-factor sign-in").click()
    page.get_by_text("They are shown only now").wait_for()
    watched.shoot(f"factor_codes-{width}")
    codes = page.locator(".k-codes li").all_inner_texts()
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_load_state("networkidle")
    assert page.url == f"{live_server.url}/admin/"
    watched.go("/admin/two-factor/")
    watched.shoot(f"factor-{width}")

    again = Watched(browser, live_server.url, width)
    signed_in(again, person.email)
    again.page.get_by_text("I do not have my telephone").click()
    again.shoot(f"factor_enter-{width}")
    again.page.fill("input[name=code]", codes[0])
    again.page.get_by_role("button", name="Continue").click()
    again.page.get_by_text("9 are left").wait_for()

    locked = Watched(browser, live_server.url, width)
    for _ in range(5):
        locked.go("/admin/login/")
        locked.page.fill("input[name=username]", person.email)
        locked.page.fill("input[name=password]", "wrong")
        locked.page.click("button[type=submit]")
        locked.page.wait_for_load_state("networkidle")
    locked.shoot(f"locked_out-{width}")
    assert locked.page.get_by_text("Try again in 15 minutes").is_visible()
    again.go(f"/admin/clients/client/{bureau.client.pk}/files/add/")
    again.shoot(f"file_add-{width}")
    assert not [text for text in watched.complaints + again.complaints if "favicon" not in text]
