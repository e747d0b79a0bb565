"""Settings of Kontor. What an operator may set stands here, read from the environment; see `environment.py`.

KONTOR_ENV, SECRET_KEY, SECRET_KEY_FALLBACKS and FERNET_KEYS (commas between; the first encrypts), DATABASE_URL,
ALLOWED_HOSTS: see environment.py.
KONTOR_LOCAL_DIR, KONTOR_DEBUG, KONTOR_TLS_PROXY, REDIS_URL, CSRF_TRUSTED_ORIGINS, EMAIL_URL, KONTOR_LOG_LEVEL: below.
KONTOR_TWO_FACTOR, KONTOR_LOGIN_FAILURES, KONTOR_PROXIES ...: "Sign-in", below.
KONTOR_WORKERS, KONTOR_*_SECONDS, KONTOR_WINDOW_DAYS ...: "Numbers of Kontor", below.
"""

import logging
import math
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from apps.core import logs
from config import environment

# Lets code say `ModelAdmin[Client]` and `ForeignKey[Client]`, as strict checking demands; Django itself refuses the [].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
PRODUCTION = environment.mode(env) == environment.PRODUCTION
LOCAL_DIR = Path(env.str("KONTOR_LOCAL_DIR", default=str(BASE_DIR / ".local")))
_keys = environment.keys(env, production=PRODUCTION, local=LOCAL_DIR)

SECRET_KEY = _keys.secret_key
# Former signing keys: what they signed (sign-ins, links in mails) stays good until they are taken out.
SECRET_KEY_FALLBACKS: list[str] = _keys.former_secret_keys
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
# What was sent and answered is kept this long; that a call was made, and how it ended, KONTOR_EXCHANGE_DAYS.
KONTOR_PAYLOAD_DAYS = max(1, env.int("KONTOR_PAYLOAD_DAYS", default=30))
KONTOR_EXCHANGE_DAYS = max(KONTOR_PAYLOAD_DAYS, env.int("KONTOR_EXCHANGE_DAYS", default=400))
# Rows of finished background tasks, and problems that are over, are kept this long.
KONTOR_TASK_DAYS = max(1, env.int("KONTOR_TASK_DAYS", default=7))
KONTOR_PROBLEM_DAYS = max(1, env.int("KONTOR_PROBLEM_DAYS", default=400))
# Clients taken in together: the lines, with the names and addresses of the file, are kept this long after the end.
KONTOR_BATCH_DAYS = max(1, env.int("KONTOR_BATCH_DAYS", default=90))
# Workers of each lane; interactive (a person waits) has its own number.
KONTOR_WORKERS = max(1, env.int("KONTOR_WORKERS", default=2))
KONTOR_WORKERS_INTERACTIVE = max(1, env.int("KONTOR_WORKERS_INTERACTIVE", default=KONTOR_WORKERS))
# django-q2 cuts a task after this long: two slices' time, so that a slice in its last call is not cut.
KONTOR_TASK_SECONDS = env.int("KONTOR_TASK_SECONDS", default=120)
# After a vendor's passing failure a run waits this long, then twice as long each time.
KONTOR_RETRY_SECONDS = env.float("KONTOR_RETRY_SECONDS", default=5.0)
# How often `work` looks at the timetable and for runs that were left behind.
KONTOR_TICK_SECONDS = env.float("KONTOR_TICK_SECONDS", default=2.0)
# A heartbeat is sent through each lane's queue this often. A lane in which a worker is free and the beat does not come
# back for KONTOR_STUCK_SECONDS is killed and started again; a lane that was just started has KONTOR_START_SECONDS.
KONTOR_PULSE_SECONDS = env.float("KONTOR_PULSE_SECONDS", default=10.0)
KONTOR_STUCK_SECONDS = env.float("KONTOR_STUCK_SECONDS", default=30.0)
KONTOR_START_SECONDS = env.float("KONTOR_START_SECONDS", default=60.0)
# What this host is called in runs and lanes: must differ between hosts, and stay over restarts of `work`.
KONTOR_HOST_NAME = env.str("KONTOR_HOST_NAME", default=socket.gethostname())
# By this local hour every client is read; a night that is not is a problem by itself, looked at this often.
KONTOR_READY_HOUR = env.int("KONTOR_READY_HOUR", default=6)
KONTOR_WATCH_SECONDS = env.float("KONTOR_WATCH_SECONDS", default=60.0)
# How long an idle worker waits before it asks the queue again.
KONTOR_POLL_SECONDS = env.float("KONTOR_POLL_SECONDS", default=0.3)
# Whether calls wait for their turn under a vendor's limits. Off only to show that a sandbox does refuse then.
KONTOR_LIMITER = environment.limiter(env, production=PRODUCTION)
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
    "axes",
    "csp",
    "django_otp",
    "django_structlog",
    "apps.core",
    "apps.audit",
    "apps.organisations",
    "apps.clients",
    "apps.notifications",
    "apps.connectors",
    "apps.ledger",
    "apps.flows",
    "apps.onboarding",
    "apps.sync",
    "apps.sandbox",
    "apps.office",
    "apps.api",
]

MIDDLEWARE = [
    "apps.core.requests.request_ids",
    "django_structlog.middlewares.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.headers.PolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.organisations.middleware.session_end",
    "django_otp.middleware.OTPMiddleware",
    "apps.organisations.middleware.SecondFactorGate",
    "apps.clients.middleware.tenant_scope",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, as django-axes wants it: it turns a closed sign-in into its page.
    "axes.middleware.AxesMiddleware",
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
# Where the vendors' limits are counted for all workers; empty: in the database. Set it for all of them or for none.
REDIS_URL = environment.redis_url(env)
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
    "broker_class": "apps.sync.broker.LaneBroker",
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
# The first refuses while the sign-in is closed for an address; it signs nobody in.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# -- Sign-in ----------------------------------------------------------------------------------------------------------

# Staff must have a second factor: off in development and the demo, where everybody sits at the machine itself.
KONTOR_TWO_FACTOR = env.bool("KONTOR_TWO_FACTOR", default=PRODUCTION)
# After a wrong code no other is looked at for this long, then twice as long each time.
KONTOR_OTP_THROTTLE_SECONDS = env.int("KONTOR_OTP_THROTTLE_SECONDS", default=1)
# So many wrong passwords for one e-mail address from one place close the sign-in there for so long.
KONTOR_LOGIN_FAILURES = env.int("KONTOR_LOGIN_FAILURES", default=5)
KONTOR_LOCKOUT_SECONDS = env.int("KONTOR_LOCKOUT_SECONDS", default=15 * 60)
# So many from one place for whatever addresses close it for everybody there; one office may share a place.
KONTOR_LOGIN_FAILURES_ADDRESS = env.int("KONTOR_LOGIN_FAILURES_ADDRESS", default=50)
# How many proxies of the operator stand before Kontor, each adding to X-Forwarded-For; with 0 the header is not read.
KONTOR_PROXIES = env.int("KONTOR_PROXIES", default=0)
# A session ends after this long, and earlier when it is not used.
KONTOR_SESSION_SECONDS = env.int("KONTOR_SESSION_SECONDS", default=12 * 60 * 60)
KONTOR_IDLE_SECONDS = env.int("KONTOR_IDLE_SECONDS", default=2 * 60 * 60)

AXES_FAILURE_LIMIT = KONTOR_LOGIN_FAILURES
AXES_COOLOFF_TIME = timedelta(seconds=KONTOR_LOCKOUT_SECONDS)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "apps.organisations.lockout.counted_name"
AXES_LOCKOUT_CALLABLE = "apps.organisations.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "apps.organisations.lockout.counted_place"
AXES_HANDLER = "apps.organisations.lockout.Counting"
AXES_RESET_ON_SUCCESS = True
# The time that the page names stays true whoever goes on trying.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
# No line for ever of who signed in, from where and with what: nobody reads them.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# A form with a tick per company that a bureau's key reaches; Django's own limit is 1,000.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 11_000

# -- Languages --------------------------------------------------------------------------------------------------------

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

# Who mails come from, and the address of Kontor as people reach it (empty: mails hold no links).
DEFAULT_FROM_EMAIL = env.str("KONTOR_MAIL_FROM", default="kontor@localhost")
KONTOR_URL = env.str("KONTOR_URL", default="")
# A mail that the server did not take waits this long, then twice as long each time, eight times in all.
KONTOR_MAIL_RETRY_SECONDS = env.float("KONTOR_MAIL_RETRY_SECONDS", default=60.0)

# A webhook's receiver has this long to answer. One that fails is asked again after so many seconds, then twice as long
# each time, six hours at most; after so many days of nothing but failures it is paused.
KONTOR_WEBHOOK_SECONDS = max(0.1, env.float("KONTOR_WEBHOOK_SECONDS", default=10.0))
KONTOR_WEBHOOK_RETRY_SECONDS = max(0.01, env.float("KONTOR_WEBHOOK_RETRY_SECONDS", default=15.0))
KONTOR_WEBHOOK_DAYS = max(1, env.int("KONTOR_WEBHOOK_DAYS", default=5))
# What was told by mail and webhook is remembered this long.
KONTOR_TOLD_DAYS = max(7, env.int("KONTOR_TOLD_DAYS", default=90))

UNFOLD = {
    "SITE_TITLE": "Kontor",
    "SITE_HEADER": "Kontor",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ACCOUNT": {"navigation": [{"title": _("Two-factor sign-in"), "link": reverse_lazy("people:factor")}]},
}

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

# The largest file that people may send through the pages.
KONTOR_UPLOAD_BYTES = env.int("KONTOR_UPLOAD_BYTES", default=32 * 1024 * 1024)
# The largest ledger file, out of its archive, that a page takes in while its sender waits: a file is one transaction,
# about 5 s for each MB and 8 s for one of nothing but short lines, and gunicorn ends a request after 30 s. The command
# `ledger import` takes larger ones.
KONTOR_PAGE_UPLOAD_BYTES = env.int("KONTOR_PAGE_UPLOAD_BYTES", default=2 * 1024 * 1024)
FILE_UPLOAD_HANDLERS = [
    "apps.core.uploads.CappedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_PERMISSIONS = 0o600

# -- Security ---------------------------------------------------------------------------------------------------------

SESSION_COOKIE_AGE = KONTOR_SESSION_SECONDS
SESSION_COOKIE_HTTPONLY = True
# Lax, not Strict: a vendor's consent page sends the browser back to us.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "apps.core.errors.PlacesOnly"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# What a page may load and where it may send; `core.headers` adds what the admin needs, there only.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
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

LOGGING = logs.logging_settings(json=PRODUCTION, level=env.str("KONTOR_LOG_LEVEL", default="INFO").upper())
logs.set_up_structlog()
# The id is well-formed by then: `core.requests.request_ids` saw to it. Addresses would be taken from any header.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
