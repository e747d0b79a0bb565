"""Screenshots of the demo bureau into build/screens/, to be looked at: `make screens`.

The demo's two nights run for real (`manage.py demo --no-server`), in a folder of their own. `KONTOR_SCREENS_FROM` names
the folder of an earlier demo and saves the wait.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "screens-only-0123456789"
OWNER = "owner@nordvik.example"
SIZES = {"1440": (1440, 1000), "390": (390, 844)}

# Run in the demo's own process environment: prints "name address" lines of what is worth looking at.
SETUP = f"""
import django; django.setup()
from apps.core.scope import system_scope
from apps.clients.models import Client
from apps.connectors.models import Connection, Connector
from apps.ledger.models import Account, VoucherVersion
from django.utils import timezone
from apps.notifications.models import Problem, Webhook, WebhookEvent, WebhookSecret
from apps.notifications.webhooks import new_secret
from apps.onboarding.actions import check_file
from apps.organisations.models import User
from apps.sync.models import Run
from apps.organisations.models import Organisation
with system_scope("screens"):
    owner = User.objects.get(email="{OWNER}")
    owner.set_password("{PASSWORD}")
    owner.save()
    bureau = Organisation.objects.get(membership__user=owner)
    version = VoucherVersion.objects.exclude(move="meta").filter(client__organisation=bureau).latest("pk")
    client = version.client
    shared = Connector.objects.filter(client=None).first()
    bad = Problem.objects.filter(resolved_at=None, organisation=bureau).first()
    bank = Account.objects.get(client=client, number="1920")
    hook = Webhook.objects.create(
        organisation=bureau, name="Ticket system", host="tickets.example", all_clients=True, last_sent_at=timezone.now()
    )
    WebhookSecret.objects.create(webhook=hook, url="https://tickets.example/in/1", secret=new_secret())
    WebhookEvent.objects.create(webhook=hook, problem=bad, kind="problem.opened", attempts=1, told=True, ended_at=timezone.now())
    WebhookEvent.objects.create(webhook=hook, problem=bad, kind="problem.changed", attempts=2)
    WebhookEvent.objects.create(webhook=hook, kind="webhook.test", attempts=1, told=True, ended_at=timezone.now())
    lines = "number;name;organisation_number;country\\n9001;Nye Kunde AS;923609016;NO\\n9002;;12345;NO\\n"
    batch = check_file(organisation=bureau, connector=None, name="kunder.csv", data=lines.encode(), actor=owner)
    for name, address in [
        ("home", ""), ("clients", "clients/client/"), ("client", f"clients/client/{{client.pk}}/change/"),
        ("client_red", f"clients/client/{{bad.client_id}}/change/"),
        ("balances", f"clients/client/{{client.pk}}/balances/"),
        ("sheet", f"clients/client/{{client.pk}}/balances/?show=sheet"),
        ("profit", f"clients/client/{{client.pk}}/balances/?show=profit"),
        ("postings", f"clients/client/{{client.pk}}/balances/{{bank.number}}/"),
        ("voucher", f"ledger/voucher/{{version.voucher_id}}/change/"),
        ("systems", f"clients/client/{{client.pk}}/integrations/add/"),
        ("form", f"clients/client/{{client.pk}}/integrations/add/{{shared.provider}}/"),
        ("bureau_form", f"connectors/{{shared.pk}}/"),
        ("connection", f"connections/{{bad.subject_id}}/"),
        ("problems", "notifications/problem/"), ("problem", f"notifications/problem/{{bad.pk}}/change/"),
        ("runs", "sync/run/"), ("run", f"sync/run/{{version.run_id}}/change/"),
        ("exchanges", "connectors/exchange/"), ("vouchers", "ledger/voucher/"),
        ("onboarding", "onboarding/"), ("batch", f"onboarding/{{batch.pk}}/"), ("number", f"clients/client/{{client.pk}}/number/"),
        ("access", f"clients/client/{{client.pk}}/access/"), ("file_add", f"clients/client/{{client.pk}}/files/add/"),
        ("restricted", "restricted/"), ("webhooks", "notifications/webhook/"), ("webhook_add", "notifications/webhook/add/"),
        ("webhook", f"notifications/webhook/{{hook.pk}}/change/"), ("members", "organisations/membership/"),
        ("member_add", "organisations/membership/add/"), ("token_add", "clients/apitoken/add/"), ("two_factor", "two-factor/"),
    ]:
        print("PAGE", name, address)
"""


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The demo bureau, served; its address and the pages to look at."""
    kept = os.environ.get("KONTOR_SCREENS_FROM")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screens")
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "FERNET_KEYS"}}
    environment |= {"KONTOR_LOCAL_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'kontor.sqlite3'}"}
    environment["CONNECTOR_TRIPLETEX_CONSUMER_TOKEN"] = "screens"  # so that the key itself is what fails
    environment.pop("SECRET_KEY", None)
    manage = [sys.executable, "manage.py"]
    if not kept:
        subprocess.run([*manage, "demo", "--no-server"], cwd=ROOT, env=environment, check=True)
    told = subprocess.run(
        [sys.executable, "-c", SETUP], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    lines = [line.split(" ", 2) for line in told.splitlines() if line.startswith("PAGE ")]
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*manage, "runserver", "--noreload", f"127.0.0.1:{port}"], cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=1).close()  # noqa: S310 - our own server
                break
            except OSError:
                time.sleep(0.2)
        yield address, {name: page.strip() for _word, name, page in lines}
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.mark.screens
def test_every_page_is_photographed(bureau: tuple[str, dict[str, str]]) -> None:
    from playwright.sync_api import sync_playwright

    address, pages = bureau
    target = ROOT / os.environ["KONTOR_SCREENS"]
    target.mkdir(parents=True, exist_ok=True)
    wanted = os.environ.get("KONTOR_SCREENS_ONLY", "").split(",") if os.environ.get("KONTOR_SCREENS_ONLY") else []
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync"]
    slow, errors = {}, []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark") if size == "1440" else ("light",):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.goto(f"{address}/admin/")
                page.fill("input[name=username]", OWNER)
                page.fill("input[name=password]", PASSWORD)
                page.click("button[type=submit]")
                for name, path in pages.items():
                    if (wanted and name not in wanted) or (
                        scheme == "dark" and name not in {"home", "client_red", "balances"}
                    ):
                        continue
                    started = time.monotonic()
                    answer = page.goto(f"{address}/admin/{path}")
                    slow[name] = round(time.monotonic() - started, 2)
                    assert answer is not None
                    assert answer.status == 200, name
                    if name == "form":
                        page.fill("input[name=api_key]", "4711")
                        page.fill("input[name=org_nr]", "%ORGNR%")
                        page.click("button.k-button-main[type=submit]")
                        page.wait_for_load_state()
                    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    if wide > 0:
                        errors.append(f"{name} is {wide} px too wide at {size}")
                    suffix = "-dark" if scheme == "dark" else ""
                    page.screenshot(path=target / f"{name}-{size}{suffix}.png", full_page=True)
                context.close()
        browser.close()
    print(slow)  # noqa: T201 - shown with -rP
    assert not errors, errors
