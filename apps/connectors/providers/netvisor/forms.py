"""Netvisor's numbers, dates and flags, in every form that they come in (vendors/netvisor/README.md, Messages)."""

import re
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

HELSINKI = ZoneInfo("Europe/Helsinki")  # times come without a zone
EARLIEST = 1950  # years before are placeholders for "none"

_FINNISH = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_CLOCK = re.compile(r"[T ]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:[.,]\d+)?(Z|[+-]\d{2}:?\d{2})?$")
_TRUE = frozenset({"1", "true", "yes", "kyllä", "ja"})
_FALSE = frozenset({"0", "false", "no", "ei", "nej"})


def decimal(text: str | None) -> Decimal | None:
    """`-17,18`, `244.12`, `1 234,50`: the last mark is the decimal one. None of nothing; raises ValueError."""
    if not text:
        return None
    plain = re.sub(r"[\s\u00a0\u202f']", "", text).replace("\u2212", "-")
    cut = max(plain.rfind(","), plain.rfind("."))
    if cut >= 0:
        plain = re.sub(r"[.,]", "", plain[:cut]) + "." + plain[cut + 1 :]
    if not re.fullmatch(r"[+-]?\d*\.?\d*", plain) or not re.search(r"\d", plain):
        raise ValueError(f"{text!r} is no number")
    return Decimal(plain)


def figure(text: str | None) -> str | None:
    """A number as it is kept beside a record: `2.5` of `2,500`. A text that is no number stays as it is."""
    try:
        number = decimal(text)
    except ValueError:
        return text
    return None if number is None else format(number.normalize(), "f")


def day(text: str | None) -> date | None:
    """`1.1.2000`, `31.12.2015`, `2012-01-27`, `2018-5-29`, each also with a time. None of nothing; raises ValueError."""
    found = text.strip() if text else ""
    if not found:
        return None
    if match := _FINNISH.match(found):
        last, month, year = (int(part) for part in match.groups())
    elif match := _ISO.match(found):
        year, month, last = (int(part) for part in match.groups())
    else:
        raise ValueError(f"{text!r} is no day")
    rest = found[match.end() :]
    if rest and not _CLOCK.match(rest):
        raise ValueError(f"{text!r} is no day")
    return None if year < EARLIEST else date(year, month, last)


def moment(text: str | None) -> datetime | None:
    """`1.10.2009 16:03:24` and the like, Finnish time unless it tells its zone. None of nothing; raises ValueError."""
    on = day(text)
    if on is None or text is None:
        return None
    clock = _CLOCK.search(text.strip())
    if clock is None:
        return datetime(on.year, on.month, on.day, tzinfo=HELSINKI)
    hour, minute, second, zone = clock.groups()
    at = f"{on.isoformat()}T{int(hour):02d}:{minute}:{second or '00'}"
    return datetime.fromisoformat(at + zone) if zone else datetime.fromisoformat(at).replace(tzinfo=HELSINKI)


def flag(text: str | None) -> bool | None:
    """`1`, `True`, `Yes`, `Kyllä`, `Ja` and their opposites; None of anything else."""
    lowered = (text or "").strip().lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None
