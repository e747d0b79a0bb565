"""The demo's client whose consent is gone, mended in a real browser, with every wrong turn on the way.

Run by `make screens`, which keeps its pictures: the demo's nights and a browser take a minute.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OWNER, PASSWORD = "owner@malardalen.example", "kontor-demo"
SIZES = {"390": (390, 844), "1440": (1440, 1000)}
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
RIGHT, WRONG = "31006", "31005"  # the client's company at the vendor, and another


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo served on a free port: the address of its pages."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if name not in {"SECRET_KEY", "FERNET_KEYS"}}
    environment |= {"KONTOR_LOCAL_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'kontor.sqlite3'}"}
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "manage.py", "demo", "--reset", "--port", str(port)]
    environment["KONTOR_DEMO_VOUCHERS"] = "40"
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            assert any(line.startswith("Pages: ") for line in demo.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.terminate()
            demo.wait(60)


class Walk:
    """One browser page that is photographed in both sizes, and must fit both."""

    def __init__(self, page: Any, address: str, folder: Path) -> None:
        self.page, self.address, self.folder = page, address, folder
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def sign_in(self) -> None:
        self.page.fill("input[name=username]", OWNER)
        self.page.fill("input[name=password]", PASSWORD)
        self.press("button[type=submit]")

    def press(self, what: str) -> None:
        with self.page.expect_navigation():
            self.page.locator(what).first.click()

    def connect(self, tenant: str, answer: str = "yes") -> str:
        """Connect again, answered at the vendor's; the address that came back."""
        self.press("button:has-text('Connect again')")
        self.see("vendor", "Sandbox, inte Fortnox")
        self.page.select_option("select[name=tenant]", tenant)
        with self.page.expect_request(lambda request: "/admin/consent/" in request.url) as came:
            self.press(f"button[value={answer}]")
        self.page.wait_for_load_state()
        return str(came.value.url)

    def see(self, name: str, *texts: str) -> None:
        body = self.page.locator("body").inner_text()
        for text in texts:
            assert text in body, (name, text, body)
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                self.faults.append(f"{name} is {wide} px too wide at {size}")
            self.page.screenshot(path=self.folder / f"consent-{name}-{size}.png", full_page=True)


@pytest.fixture
def walk(pages: str) -> Iterator[Walk]:
    from playwright.sync_api import sync_playwright

    folder = ROOT / os.environ["KONTOR_SCREENS"]
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        made = Walk(browser.new_page(), pages, folder)
        yield made
        browser.close()
    assert not made.faults, made.faults


@pytest.mark.screens
def test_a_consent_that_is_gone_is_mended_from_the_morning_list(walk: Walk) -> None:
    page = walk.page
    page.goto(f"{walk.address}/admin/")
    walk.sign_in()
    walk.see("home", "5 of 7 clients agree with their source. 2 need a hand.")
    card = page.locator(".k-problem", has_text="consent")
    with page.expect_navigation():
        card.locator(".k-problem-title a").click()
    walk.see("problem", "Fortnox does not have the company's consent", "Press Connect again")
    walk.press("a:has-text('Open the connection')")
    connection = page.url
    walk.see("connection", "not activated")

    walk.connect(RIGHT, answer="no")
    walk.see("denied", "The consent was refused in the other system.")
    walk.connect(WRONG)
    walk.see("wrong", "The connection opens Frilufsbutiken på nätet AB (5596140839)", "Nothing was stored")
    used = walk.connect(RIGHT)
    client = page.url
    walk.see("connected", "Activated: Strömsholms Gym & Hälsa AB (559488-7209).")
    assert "code=" not in client

    page.goto(used)
    walk.see("used", "stays connected as it was", "belongs to no consent that you have begun")
    page.goto(connection)
    walk.press("button:has-text('Connect again')")
    page.context.clear_cookies()
    page.select_option("select[name=tenant]", RIGHT)
    walk.press("button[value=yes]")
    assert "code" not in page.url
    walk.sign_in()
    walk.see("signed_out", "stays connected as it was", "or you have signed in anew")

    page.goto(client)
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.get_by_text("Synchronize data from all integrations").first.click()
    walk.press("form[action$='/synchronize/'] button[type=submit]")
    page.wait_for_function("/Done[.]|agrees with/.test(document.body.innerText)", timeout=60_000)
    page.goto(client)
    walk.see("complete", "agrees with")
    page.goto(f"{walk.address}/admin/")
    walk.see("home_after", "6 of 7 clients agree with their source. 1 needs a hand.")


@pytest.mark.screens
def test_the_forms_of_the_two_systems_tell_how_to_connect(walk: Walk) -> None:
    page = walk.page
    page.goto(f"{walk.address}/admin/clients/client/")
    walk.sign_in()
    with page.expect_navigation():
        page.get_by_role("link", name=re.compile("Bageri")).first.click()
    form = page.url.replace("/change/", "/integrations/add/")
    page.goto(form)
    walk.see("systems", "Fortnox", "Netvisor")
    page.goto(f"{form}fortnox/")
    walk.see("form_service", "TenantId", "How to connect", "Press Connect.")
    page.goto(f"{form}fortnox/?auth=oauth_code")
    walk.see("form_code", "How to connect", "Connect opens Fortnox in this window.")
    page.goto(f"{form}netvisor/")
    walk.see("form_netvisor", "How to get the key", "Rights of API resources")
