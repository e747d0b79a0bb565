"""What the operator's environment says: development or production, keys, database.

Without any environment Kontor runs in development, with keys made once in `.local/`.
`KONTOR_ENV=production` demands its variables and refuses weak ones; nothing is guessed there.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured

DEVELOPMENT: Final = "development"
PRODUCTION: Final = "production"

SECRET_KEY_LENGTH: Final = 50
FERNET_KEY_LENGTH: Final = 32
DISTINCT_CHARACTERS: Final = 8
PLACEHOLDERS: Final = ("changeme", "change-me", "django-insecure", "example", "insecure", "placeholder", "your-key")

NEW_KEY: Final = 'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


@dataclass(frozen=True)
class Keys:
    """The signing key and those before it, and the encryption keys of which the first encrypts and all decrypt."""

    secret_key: str
    fernet_keys: list[str]
    former_secret_keys: list[str]


def mode(env: environ.Env) -> str:
    """`development` or `production`, from KONTOR_ENV."""
    value: str = env.str("KONTOR_ENV", default=DEVELOPMENT)
    if value not in {DEVELOPMENT, PRODUCTION}:
        message = f"KONTOR_ENV is {value!r}: set it to {PRODUCTION!r}, or leave it out for development"
        raise ImproperlyConfigured(message)
    return value


def keys(env: environ.Env, *, production: bool, local: Path) -> Keys:
    """Keys of the environment; in development those of `local` where the environment has none.

    Raises ImproperlyConfigured with the variable and the remedy when one is missing or weak.
    """
    former = [key for key in _listed(env.str("SECRET_KEY_FALLBACKS", default="")) if key]
    if production:
        chosen = Keys(_demanded(env, "SECRET_KEY", NEW_KEY), _listed(_demanded(env, "FERNET_KEYS", NEW_KEY)), former)
    else:
        secret_key, fernet_keys = env.str("SECRET_KEY", default=""), env.str("FERNET_KEYS", default="")
        made = Keys("", [], []) if secret_key and fernet_keys else local_keys(local)
        listed = _listed(fernet_keys) if fernet_keys else made.fernet_keys
        chosen = Keys(secret_key or made.secret_key, listed, former)
    _refuse_weak(chosen)
    return chosen


def local_keys(local: Path) -> Keys:
    """The development keys in `local`, made on first use; processes that start together agree on one pair."""
    path = local / "keys.json"
    if not path.exists():
        _make_keys(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    return Keys(content["SECRET_KEY"], content["FERNET_KEYS"], [])


def allowed_hosts(env: environ.Env, *, production: bool) -> list[str]:
    """Hosts that may be asked for: this machine in development, ALLOWED_HOSTS in production."""
    if not production:
        return ["127.0.0.1", "localhost", "[::1]"]
    remedy = "list the host names people use, with commas between"
    hosts = _listed(_demanded(env, "ALLOWED_HOSTS", remedy))
    if not all(hosts) or "*" in hosts:
        message = f"ALLOWED_HOSTS allows any host or has an empty entry: {remedy}"
        raise ImproperlyConfigured(message)
    return hosts


def limiter(env: environ.Env, *, production: bool) -> bool:
    """KONTOR_LIMITER, on unless switched off; vendors cut off who does not keep their limits, so never in production."""
    on: bool = env.bool("KONTOR_LIMITER", default=True)
    if production and not on:
        message = "KONTOR_LIMITER is off: it must be on with KONTOR_ENV=production, or left out"
        raise ImproperlyConfigured(message)
    return on


def redis_url(env: environ.Env) -> str:
    """REDIS_URL, empty where there is none."""
    url: str = env.str("REDIS_URL", default="").strip()
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        message = "REDIS_URL is not an address like redis://host:6379/0, rediss://host:6379/0 or unix:///path"
        raise ImproperlyConfigured(message)
    return url


def database(env: environ.Env, *, production: bool, local: Path) -> dict[str, Any]:
    """Django's connection settings for DATABASE_URL, which always wins, or for the file in `local`."""
    if production:
        _demanded(env, "DATABASE_URL", "set postgres://user:password@host/name, or sqlite:////path/to/file")
    connection: dict[str, Any] = env.db_url("DATABASE_URL", default=f"sqlite:///{quote(str(local / 'kontor.sqlite3'))}")
    options = connection.setdefault("OPTIONS", {})
    if connection["ENGINE"] == "django.db.backends.sqlite3":
        if production and connection["NAME"] == ":memory:":
            message = "DATABASE_URL keeps the data in memory, where every process has its own: name a file"
            raise ImproperlyConfigured(message)
        # IMMEDIATE matters most: a deferred transaction that reads, then writes, fails at once whatever the timeout.
        options |= {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
                "PRAGMA mmap_size=134217728;PRAGMA cache_size=-20000;"
            ),
        }
    else:
        # No pool: it is opened before django-q2 forks, and its sockets would be shared by all workers.
        connection |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return connection


def _make_keys(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {"SECRET_KEY": secrets.token_urlsafe(64), "FERNET_KEYS": [secrets.token_urlsafe(48)]}
    mine = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    # A hard link is made or refused in one step, and only of a whole file: the slower process takes the other's keys.
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()


def _demanded(env: environ.Env, name: str, remedy: str) -> str:
    value: str = env.str(name, default="")
    if not value.strip():
        message = f"{name} is missing, and KONTOR_ENV=production demands it: {remedy}"
        raise ImproperlyConfigured(message)
    return value


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _refuse_weak(chosen: Keys) -> None:
    _refuse_weak_key("SECRET_KEY", chosen.secret_key, SECRET_KEY_LENGTH)
    for key in chosen.former_secret_keys:
        _refuse_weak_key("SECRET_KEY_FALLBACKS", key, SECRET_KEY_LENGTH)
    for key in chosen.fernet_keys:
        _refuse_weak_key("FERNET_KEYS", key, FERNET_KEY_LENGTH)
    if {chosen.secret_key, *chosen.former_secret_keys} & set(chosen.fernet_keys):
        # Otherwise changing the one would lose everything that the other encrypted.
        message = f"FERNET_KEYS repeats SECRET_KEY: {NEW_KEY}"
        raise ImproperlyConfigured(message)
    if len(set(chosen.fernet_keys)) < len(chosen.fernet_keys):
        message = "FERNET_KEYS names a key twice: keep each once, the one that encrypts first"
        raise ImproperlyConfigured(message)


def _refuse_weak_key(name: str, value: str, length: int) -> None:
    short = len(value) < length or len(set(value)) < DISTINCT_CHARACTERS
    if short or any(word in value.lower() for word in PLACEHOLDERS):
        message = f"{name} has a key that is weak (shorter than {length} characters, or a placeholder): {NEW_KEY}"
        raise ImproperlyConfigured(message)
