"""What the operator may say about limits, and what is refused when Kontor starts."""

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment


@pytest.mark.parametrize("url", ["", "redis://host:6379/0", "rediss://host:6379/0", "unix:///run/redis.sock"])
def test_an_address_of_redis_or_none(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert environment.redis_url(environ.Env()) == url


@pytest.mark.parametrize("url", ["host:6379", "http://host:6379", "/run/redis.sock"])
def test_another_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        environment.redis_url(environ.Env())


def test_the_limiter_may_be_off_for_a_sandbox_and_never_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.limiter(environ.Env(), production=True)
    monkeypatch.setenv("KONTOR_LIMITER", "0")
    assert not environment.limiter(environ.Env(), production=False)
    with pytest.raises(ImproperlyConfigured, match="KONTOR_LIMITER"):
        environment.limiter(environ.Env(), production=True)
