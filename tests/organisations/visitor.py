"""A browser over real HTTP: cookies, CSRF, and the codes of an authenticator app."""

import re
import time
from typing import Any

import requests
from django_otp.oath import totp

PASSWORD = "a long pass phrase 4711"


class Visitor(requests.Session):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.trust_env = False
        self.address = address

    def see(self, path: str, **options: Any) -> requests.Response:
        return self.get(self.address + path, timeout=30, **options)

    def submit(self, path: str, *, follow: bool = True, **fields: str) -> requests.Response:
        """The form of the page, with its own CSRF token, sent to the page."""
        form = self.see(path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert found, form.text[:500]
        data = {**fields, "csrfmiddlewaretoken": found[1]}
        headers = {"Referer": form.url}
        return self.post(form.url, data=data, headers=headers, timeout=30, allow_redirects=follow)

    def sign_in(self, email: str, password: str = PASSWORD, path: str = "/admin/login/") -> requests.Response:
        return self.submit(path, username=email, password=password)

    @property
    def key(self) -> str | None:
        return self.cookies.get("sessionid")


def code_of(key: str, *, steps: int = 0) -> str:
    """What the app shows now, or so many steps later."""
    return f"{totp(bytes.fromhex(key), drift=steps):06d}"


def wrong_code(key: str) -> str:
    near = {code_of(key, steps=step) for step in (-2, -1, 0, 1, 2)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444", "555555") if text not in near)


def wait_for_step() -> None:
    """Begin early in a step of thirty seconds, where the test needs the same code twice."""
    left = 30 - time.time() % 30
    if left < 4:
        time.sleep(left + 0.1)
