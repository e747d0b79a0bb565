"""Logs: one line per event with the request or run it belongs to; JSON in production; secrets redacted.

What a connector sends and gets is masked by its own provider before it is logged (`sdk.masking`). This is the second
net: whatever else writes a line (a library, a traceback, an address of a request) goes through `redacted`.
"""

import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

HIDDEN = "[redacted]"
_NAMES = (
    r"(?:[a-z]+[_-]?)?(?:token|secret|password|passwd|passphrase)|(?:api|secret|private|partner|customer|fernet)[_-]?keys?"
    r"|session[_-]?id|csrf[a-z]*|cookie|set-cookie|otp|code_verifier"
)
_SECRET_NAME = re.compile(rf"(?:{_NAMES}|authorization)", re.IGNORECASE)
_PATTERNS = (
    # A header, whatever its scheme; then a scheme that stands alone.
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    # A name and its value: in a query, a form, JSON, a Python dictionary.
    (re.compile(rf"(?i)(\b(?:{_NAMES})\b[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;}}<>]+"), rf"\1{HIDDEN}"),
    # `code` is a common word: a secret only as a part of a query or form.
    (re.compile(r"(?i)((?:[?&]|^)(?:code|state|sig|signature)=)[^\s\"'&#]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\bkontor_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{HIDDEN}@"),
)


def redacted(value: Any) -> Any:
    """The value with everything that looks like a secret replaced; numbers and the like as they are."""
    if isinstance(value, str):
        for pattern, instead in _PATTERNS:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if isinstance(name, str) and _SECRET_NAME.fullmatch(name) else redacted(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = redacted(event)
    return found


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def set_up_structlog() -> None:
    """What is logged by structlog goes through the handlers of `logging_settings`, like everything else."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def logging_settings(*, json: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING. `level` is that of Kontor's own lines and, in production, of the requests'."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        # Tracebacks become text first: what stands in them is redacted too, and variables are never shown.
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact,
            renderer,
        ],
        "foreign_pre_chain": _shared(),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "apps": {"level": level},
            # Its own handler in django.utils.log writes only with DEBUG; here everything goes through the root.
            "django": {"handlers": [], "level": "WARNING"},
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # django-structlog tells every request once, with its id; failed ones with the traceback.
            "django.request": {"handlers": [], "propagate": False},
            "django_structlog": {"level": level if json else "WARNING"},
            "axes": {"level": "ERROR"},  # a lockout is a line of ours
        },
    }
