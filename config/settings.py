"""Settings of Kontor. What an operator may set stands here, read from the environment; see `environment.py`.

KONTOR_ENV, SECRET_KEY, FERNET_KEYS (commas between; the first encrypts), DATABASE_URL, ALLOWED_HOSTS: see environment.py.
KONTOR_LOCAL_DIR, KONTOR_DEBUG, KONTOR_TLS_PROXY, CSRF_TRUSTED_ORIGINS, EMAIL_URL, KONTOR_LOG_LEVEL: below.
KONTOR_WORKERS, KONTOR_*_SECONDS, KONTOR_WINDOW_DAYS ...: "Numbers of Kontor", below.
"""

import math
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.utils.translation import gettext_lazy as _

from config import environment

# Lets code say `ModelAdmin[Client]` and `ForeignKey[Client]`, as strict checking demands; Django itself refuses the [].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
PRODUCTION = environment.mode(env) == environment.PRODUCTION
LOCAL_DIR = Path(env.str("KONTOR_LOCAL_DIR", default=str(BASE_DIR / ".local")))
_keys = environment.keys(env, production=PRODUCTION, local=LOCAL_DIR)

SECRET_KEY = _keys.secret_key
FERNET_KEYS = _keys.fernet_keys
# Off unless asked for, also in development: it keeps every statement of a long run in memory and shows values in pages.
DEBUG = not PRODUCTION and env.bool("KONTOR_DEBUG", default=False)
ALLOWED_HOSTS = environment.allowed_hosts(env, production=PRODUCTION)

# -- Numbers of Kontor ------------------------------------------------------------------------------------------------
# Each is an environment variable of the same name; tests and soak shorten the seconds.

# A run is claimed with a lease that its heartbeat renews; the reaper requeues it when the lease ends.
KONTOR_LEASE_SECONDS = env.float("KONTOR_LEASE_SECONDS", default=30.0)
KONTOR_HEARTBEAT_SECONDS = env.float("KONTOR_HEARTBEAT_SECONDS", default=5.0)
# A slice of a run ends, commits its resume point and queues the next one after this long.
KONTOR_SLICE_SECONDS = env.float("KONTOR_SLICE_SECONDS", default=60.0)
# Every night reads from today minus this many days.
KONTOR_WINDOW_DAYS = env.int("KONTOR_WINDOW_DAYS", default=100)
# The first load begins with the fiscal year this many years before the present one.
KONTOR_HISTORY_YEARS = env.int("KONTOR_HISTORY_YEARS", default=1)
# A pass that would delete more vouchers than KONTOR_DELETE_MOST, or at least KONTOR_DELETE_SOME that are more than
# KONTOR_DELETE_PERCENT of those held in what it read, deletes nothing and raises a problem.
KONTOR_DELETE_MOST = env.int("KONTOR_DELETE_MOST", default=20)
KONTOR_DELETE_SOME = env.int("KONTOR_DELETE_SOME", default=5)
KONTOR_DELETE_PERCENT = env.int("KONTOR_DELETE_PERCENT", default=2)
# Raw payloads of exchanges are kept this long.
KONTOR_PAYLOAD_DAYS = env.int("KONTOR_PAYLOAD_DAYS", default=30)
# Workers of each lane; interactive (a person waits) has its own number.
KONTOR_WORKERS = max(1, env.int("KONTOR_WORKERS", default=2))
KONTOR_WORKERS_INTERACTIVE = max(1, env.int("KONTOR_WORKERS_INTERACTIVE", default=KONTOR_WORKERS))
# django-q2 cuts a task after this long: two slices' time, so that a slice in its last call is not cut.
KONTOR_TASK_SECONDS = env.int("KONTOR_TASK_SECONDS", default=120)
# After a vendor's passing failure a run waits this long, then twice as long each time.
KONTOR_RETRY_SECONDS = env.float("KONTOR_RETRY_SECONDS", default=5.0)
# How often `work` looks at the timetable and for runs that were left behind.
KONTOR_TICK_SECONDS = env.float("KONTOR_TICK_SECONDS", default=2.0)
# How long an idle worker waits before it asks the queue again.
KONTOR_POLL_SECONDS = env.float("KONTOR_POLL_SECONDS", default=0.3)
# Python packages with providers of others.
KONTOR_PROVIDER_PACKAGES: list[str] = env.list("KONTOR_PROVIDER_PACKAGES", default=[])
# host:port, ... of the private addresses that connectors may reach (sandbox, replay server); never user input.
CONNECTOR_ALLOW_PRIVATE_HOSTS: list[str] = env.list("CONNECTOR_ALLOW_PRIVATE_HOSTS", default=[])

# -- Programs ---------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # Unfold replaces templates of the admin, so it stands before it.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_q",
    "apps.core",
    "apps.audit",
    "apps.organisations",
    "apps.clients",
    "apps.notifications",
    "apps.connectors",
    "apps.ledger",
    "apps.flows",
    "apps.sync",
    "apps.sandbox",
    "apps.office",
    "apps.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.clients.middleware.tenant_scope",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# -- Data -------------------------------------------------------------------------------------------------------------

DATABASES = {"default": environment.database(env, production=PRODUCTION, local=LOCAL_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def _lane(workers: int) -> dict[str, int]:
    # A task's lock runs from when it is pulled, not from when it starts: while it waits behind others, `retry` must
    # not pass, or it is run twice (STACK.md 3.1). One task is always pulled ahead besides the queue: `bulk`.
    waiting = math.ceil((workers + 1) / workers)
    return {"workers": workers, "queue_limit": workers, "retry": KONTOR_TASK_SECONDS * (waiting + 1) + 60}


# A lane is started by `Q_CLUSTER_NAME=<lane> manage.py qcluster` and filled by `async_task(..., cluster="<lane>")`.
KONTOR_LANES = {"interactive": KONTOR_WORKERS_INTERACTIVE, "nightly": KONTOR_WORKERS}

# django-q2 only carries: our own Run rows count attempts and retry, hence `ack_failures`.
Q_CLUSTER: dict[str, Any] = {
    # The default cluster is the nightly lane: a task or schedule that names no lane is worked there.
    "name": "nightly",
    **_lane(KONTOR_LANES["nightly"]),
    "ALT_CLUSTERS": {lane: _lane(workers) for lane, workers in KONTOR_LANES.items()},
    "orm": "default",
    "bulk": 1,
    "timeout": KONTOR_TASK_SECONDS,
    "max_attempts": 3,
    "ack_failures": True,
    "catch_up": False,
    # Above 0 every finished task reads the ids of all others; 0 keeps all, and a job of ours prunes them.
    "save_limit": 0,
    "poll": KONTOR_POLL_SECONDS,
    "recycle": 200,
    "max_rss": 300_000,
    "label": "Background tasks",
}

# -- People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "organisations.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", _("English")),
    ("fi", _("Finnish")),
    ("nb", _("Norwegian Bokmål")),
    ("sv", _("Swedish")),
    ("nl", _("Dutch")),
    ("pl", _("Polish")),
    ("cs", _("Czech")),
    ("pt", _("Portuguese")),
    ("sk", _("Slovak")),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Sets EMAIL_BACKEND, EMAIL_HOST and so on; development prints its mails.
vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25" if PRODUCTION else "consolemail://"))

UNFOLD = {"SITE_TITLE": "Kontor", "SITE_HEADER": "Kontor", "SHOW_HISTORY": True, "SHOW_VIEW_ON_SITE": False}

REST_FRAMEWORK = {
    # Closed by default: a view that everybody may read says so itself.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "COERCE_DECIMAL_TO_STRING": True,
}

# -- Files ------------------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "build" / "static"
STATICFILES_DIRS = [folder for folder in (BASE_DIR / "static",) if folder.is_dir()]
# In development files are served from where they lie; production runs collectstatic, which compresses and names them.
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# -- Security ---------------------------------------------------------------------------------------------------------

SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
# A probe inside the cluster speaks plain HTTP to the process itself.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
# Only behind a proxy that always sets this header itself; otherwise anybody could claim to have come by HTTPS.
if env.bool("KONTOR_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- Log --------------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "apps": {"level": env.str("KONTOR_LOG_LEVEL", default="INFO")},
        # Its own handler in django.utils.log writes only with DEBUG; here everything goes through the root.
        "django": {"handlers": [], "level": "WARNING"},
        "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}
