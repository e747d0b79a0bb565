"""Fault switches of a company: what goes wrong on the wire, and what is missing from its books.

Wire: settings `nth` (or `page`: first request struck, 1), `times` (how many in a row, 0 = for good; `cut` defaults to
1, the rest to 0), `every` (every n-th instead), `path` (only resources whose name contains it; with `page` the default
is `accountingledger.nv`), `seconds` (slow, 2), `retry_after` (too_many: seconds, default 1, null for none).

Books (`BOOKS`): `external_ids` (the story's vouchers) or `count` (drop_voucher 1, drop_page a stretch of 20), `account`
(hide_account, one_cent), `from` ("YYYY-MM", one_cent), `row` (drop_line, 1). What is not named is chosen: the same way
every time, in the last 60 days of the books, and so that balances show it.

Access (`ACCESS`): `bad_keys` and `withdrawn` (the keys do not hold), `no_right` (`resources`: names; absent = all),
`right_withdrawn` (every list is empty), `hidden_rows` (the ledger's list is empty, look-ups are not).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from apps.connectors.providers.netvisor.sandbox.company import RESULT, Company, Obj
from apps.connectors.providers.netvisor.sandbox.rows import VALID
from apps.connectors.providers.netvisor.sandbox.wire import Refused
from apps.connectors.sdk.sandbox import Answer, Request, Store

BEFORE = ("too_many", "server_error", "technical_error", "html_error", "html_200", "maintenance")
AFTER = ("slow", "cut", "malformed")
BOOKS = ("drop_voucher", "drop_page", "one_cent", "hide_account", "drop_line", "duplicate_number")
ACCESS = ("bad_keys", "withdrawn", "no_right", "right_withdrawn", "hidden_rows")
SWITCHES = (*BEFORE, *AFTER, *BOOKS, *ACCESS)
HTML = (
    "<!DOCTYPE html><html><head><title>Netvisor</title></head>"
    "<body><h1>Palvelussa on häiriö</h1><p>Yritä myöhemmin uudelleen.</p></body></html>"
)
RECENT = timedelta(days=60)
MAINTENANCE = (
    "SYSTEM_MAINTANANCE",
    "The service is under maintenance",
    "Palvelussa on huoltokatko",
    "Tjänsten underhålls",
)
TECHNICAL = ("TECHNICAL_ERROR", "Technical error", "Tekninen virhe", "Tekniskt fel")
NO_RIGHT = (
    "SERVICE_ACCESS_ERROR",
    "No access to the resource. Check the rights of API resources.",
    "Ei oikeutta resurssiin. Tarkista rajapintaresurssien oikeudet.",
    "Ingen rätt till resursen. Kontrollera rättigheterna för API-resurser.",
)
OVERLAP = (
    "TECHNICAL_ERROR",
    "Another request of this company is being handled",
    "Yrityksen toinen pyyntö on käsittelyssä",
    "En annan begäran från företaget behandlas",
)


def switch_name(switch: str) -> str:
    name = switch.replace("-", "_")
    if name not in SWITCHES:
        raise ValueError(f"no fault {switch!r}; known: {', '.join(SWITCHES)}")
    return name


def struck(store: Store, company: str, name: str, settings: Mapping[str, Any], path: str) -> bool:
    """Whether the fault strikes this request; counts the chance."""
    wanted = settings.get("path", "accountingledger.nv" if "page" in settings else "")
    if wanted.lower() not in path.lower():
        return False
    chance = store.hit(company, name)
    if settings.get("every"):
        return chance % int(settings["every"]) == 0
    first = int(settings.get("nth") or settings.get("page") or 1)
    times = int(settings.get("times", 1 if name == "cut" else 0) or 0)
    return chance >= first and (not times or chance < first + times)


def before(store: Store, company: str, faults: Mapping[str, Mapping[str, Any]], path: str) -> Answer | None:
    """The answer that a fault gives in place of the right one; raises Refused for those with the vendor's body."""
    for name in BEFORE:
        if name not in faults or not struck(store, company, name, faults[name], path):
            continue
        if name == "maintenance":
            raise Refused(*MAINTENANCE)
        if name == "technical_error":
            raise Refused(*TECHNICAL)
        if name == "too_many":  # no limit is published: the body is none of the vendor's
            wait = faults[name].get("retry_after", 1)
            return Answer(status=429, headers={} if wait is None else {"Retry-After": str(wait)})
        code = {"server_error": 500, "html_error": 500, "html_200": 200}[name]
        body = b"" if name == "server_error" else HTML.encode()
        return Answer(status=code, headers={"Content-Type": "text/html; charset=utf-8"}, body=body)
    lacking = faults.get("no_right")
    if lacking is not None and path in (lacking.get("resources") or [path]):
        raise Refused(*NO_RIGHT)
    return None


def after(
    store: Store, company: str, faults: Mapping[str, Mapping[str, Any]], request: Request, answer: Answer
) -> None:
    """Spoil an answer on its way out."""
    if answer.status != 200:
        return
    for name in AFTER:
        if name not in faults or not struck(store, company, name, faults[name], request.path):
            continue
        if name == "slow":
            answer.delay = faults[name].get("seconds", 2)
        elif name == "cut":
            answer.cut_after = len(answer.body) // 2
        else:
            answer.body = answer.body[: len(answer.body) * 2 // 3]


def resolve(name: str, settings: Mapping[str, Any], company: Company) -> dict[str, Any]:
    """The settings with their targets chosen, so that they stay the same when the books go on."""
    chosen = dict(settings)
    if name in ("drop_voucher", "drop_page"):
        chosen["ids"] = _vouchers(name, settings, company)
    elif name == "hide_account":
        account = _account(settings, company, result_only=True)
        chosen["accounts"] = [account]
        rows = company.every
        chosen["ids"] = [row["id"] for row in rows if any(line["account"] == account for line in row["lines"])]
    elif name == "one_cent":
        chosen["account"] = _account(settings, company)
        month_before = _last(company).replace(day=1) - timedelta(days=1)
        chosen["from"] = str(settings.get("from") or month_before.isoformat())[:7]
    elif name == "drop_line":
        lines = _named(settings, company)[0]["lines"]
        told = [lines[int(settings["row"]) - 1]] if settings.get("row") else [line for line in lines if line["amount"]]
        chosen["lines"] = [told[0]["id"]]
    elif name == "duplicate_number":
        row = _named(settings, company)[0]
        same = [other for other in company.every if (other["class"], other["year"]) == (row["class"], row["year"])]
        other = next((other for other in same if other["number"] == row["number"] - 1), same[0])
        chosen["numbers"] = {str(row["id"]): other["number"]}
    return chosen


def _valid(company: Company) -> list[Obj]:
    return [row for row in company.every if row["status"] == VALID]


def _last(company: Company) -> date:
    days = [row["date"] for row in _valid(company)]
    if not days:
        raise ValueError("the company has no vouchers")
    return date.fromisoformat(max([day for day in days if day <= company.today] or days))


def _recent(company: Company) -> list[Obj]:
    """Vouchers of the last 60 days that change balances, in order of day; all of those when there are none."""
    last = _last(company)
    rows = [row for row in _valid(company) if row["date"] <= last.isoformat() and _moves(row)]
    return [row for row in rows if row["date"] > (last - RECENT).isoformat()] or rows


def _moves(row: Obj) -> bool:
    sums: dict[str, int] = {}
    for line in row["lines"]:
        sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    return any(sums.values())


def _named(settings: Mapping[str, Any], company: Company) -> list[Obj]:
    """The vouchers the settings name, or one from the middle of the recent ones."""
    names = settings.get("external_ids") or ([settings["external_id"]] if settings.get("external_id") else [])
    if not names:
        recent = _recent(company)
        return [recent[len(recent) // 2]]
    found = [row for row in company.every if row["story"] in names]
    if len(found) != len(names):
        raise ValueError(f"external_ids: not all of {names} are booked vouchers")
    return found


def _vouchers(name: str, settings: Mapping[str, Any], company: Company) -> list[int]:
    if settings.get("external_ids") or settings.get("external_id"):
        return [row["id"] for row in _named(settings, company)]
    count = int(settings.get("count", 1 if name == "drop_voucher" else 20))
    recent = _recent(company)
    if name == "drop_voucher":
        return [row["id"] for row in recent[len(recent) // 2 :][:count]]
    rows = _valid(company)
    end = next((n for n, row in enumerate(rows) if row["id"] == recent[-1]["id"]), len(rows) - 1)
    return [row["id"] for row in rows[max(0, end - count - 2) :][:count]]


def _account(settings: Mapping[str, Any], company: Company, *, result_only: bool = False) -> str:
    """The account told, else the most used one of the recent vouchers; a little used result account to hide."""
    types = {row["number"]: row["type"] for row in company.accounts}
    told = settings.get("account")
    if told is not None:
        if str(told) not in types:
            raise ValueError(f"account: {told} is not in the chart")
        return str(told)
    used: dict[str, int] = {}
    for row in _recent(company):
        for number in {line["account"] for line in row["lines"] if line["amount"]}:
            used[number] = used.get(number, 0) + 1
    if result_only:
        used = {number: n for number, n in used.items() if types[number] in RESULT} or used
        return min(used, key=lambda number: (used[number], number))
    return max(used, key=lambda number: (used[number], number))
