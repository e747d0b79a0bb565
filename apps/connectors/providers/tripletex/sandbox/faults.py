"""Fault switches of a company: what goes wrong on the wire, and what is missing from its books.

Wire (`STRIKES`): settings `nth` (or `page`: first request struck, 1), `times` (how many in a row, 0 = for good;
`cut` and `session_expired` default 1, the rest 0), `every` (every n-th instead), `path` (only requests whose path
contains it; with `page` the default is `/ledger/voucher`), `seconds` (slow, 2), `retry_after` (too_many: seconds,
default 1, null for none).

Books (`BOOKS`): `external_ids` (the story's vouchers) or `count` (drop_voucher 1, drop_page 20), `account`
(hide_account, one_cent), `from` ("YYYY-MM", one_cent), `row` (drop_line). What is not named is chosen: the same
way every time, in the last 60 days of the books, and so that balances show it.

Access (`ACCESS`): no settings. `withdrawn` deletes a single company's own key (422 at log-in, 401 after).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from apps.connectors.providers.tripletex.sandbox.answers import Refused, forbidden, unauthorized
from apps.connectors.providers.tripletex.sandbox.company import Company, Obj
from apps.connectors.sdk.sandbox import Answer, Request, Store

BEFORE = ("too_many", "session_expired", "server_error", "html_error", "html_200")  # instead of the answer
AFTER = ("slow", "cut", "malformed")  # with the answer
BOOKS = ("drop_voucher", "drop_page", "one_cent", "hide_account", "drop_line", "duplicate_number")
ACCESS = ("withdrawn", "right_withdrawn", "hidden_rows", "no_api_module", "no_entitlement")
SWITCHES = (*BEFORE, *AFTER, *BOOKS, *ACCESS)
HTML = (
    "<!DOCTYPE html><html><head><title>Feilsituasjon - Tripletex</title></head>"
    "<body><h1>Feilsituasjon</h1><p>Det oppstod en feil. Vennligst prøv igjen senere.</p></body></html>"
)
RECENT = timedelta(days=60)
OPEN_PATHS = ("/token/session/>whoAmI", "/company/salesmodules", "/company/>withLoginAccess")


def switch_name(switch: str) -> str:
    name = switch.replace("-", "_")
    if name not in SWITCHES:
        raise ValueError(f"no fault {switch!r}; known: {', '.join(SWITCHES)}")
    return name


def struck(store: Store, company: str, name: str, settings: Mapping[str, Any], path: str) -> bool:
    """Whether the fault strikes this request; counts the chance."""
    wanted = settings.get("path", "/ledger/voucher" if "page" in settings else "")
    if wanted not in path:
        return False
    chance = store.hit(company, name)
    if settings.get("every"):
        return chance % int(settings["every"]) == 0
    first = int(settings.get("nth") or settings.get("page") or 1)
    times = int(settings.get("times", 1 if name in ("cut", "session_expired") else 0) or 0)
    return chance >= first and (not times or chance < first + times)


def before(store: Store, company: str, faults: Mapping[str, Mapping[str, Any]], path: str) -> Answer | None:
    """The answer that a fault gives in place of the right one; raises Refused for those with an error body."""
    for name in BEFORE:
        if name not in faults or not struck(store, company, name, faults[name], path):
            continue
        if name == "too_many":
            wait = faults[name].get("retry_after", 1)
            return too_many(wait)
        if name == "session_expired":
            raise unauthorized()
        if name == "server_error":
            raise Refused(500, 1000, "Internal Server Error")
        page = Answer(status=500 if name == "html_error" else 200, body=HTML.encode())
        page.headers["Content-Type"] = "text/html;charset=utf-8"
        return page
    if "no_api_module" in faults and path not in OPEN_PATHS and not path.startswith("/company/"):
        raise forbidden()
    if "no_entitlement" in faults and path.startswith(("/ledger", "/balanceSheet")):
        raise forbidden()
    return None


def too_many(wait: int | None) -> Answer:
    """429 as the vendor's gateway gives it: the body is not documented."""
    headers = {"Content-Type": "application/json;charset=utf-8"}
    if wait is not None:
        headers["Retry-After"] = str(wait)
    body = b'{"status":429,"code":null,"message":"Too Many Requests","link":"https://tripletex.no/v2-docs/",'
    return Answer(
        status=429, headers=headers, body=body + b'"developerMessage":null,"validationMessages":null,"requestId":null}'
    )


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
        chosen["ids"] = [row["id"] for row in company.every if any(p["account"] == account for p in row["postings"])]
    elif name == "one_cent":
        chosen["account_id"] = _account(settings, company)
        last = _last(company)
        chosen["from"] = str(settings.get("from") or (last.replace(day=1) - timedelta(days=1)).isoformat()[:7])[:7]
    elif name == "drop_line":
        row = _named(settings, company)[0]
        lines = [posting for posting in row["postings"] if posting["amount"]]
        told = settings.get("row")
        line = next((p for p in lines if p["row"] == told), lines[0])
        chosen["postings"], chosen["ids_of_voucher"] = [line["id"]], [row["id"]]
    elif name == "duplicate_number":
        row = _named(settings, company)[0]
        other = next(o for o in company.every if o["year"] == row["year"] and o["number"] != row["number"])
        near = [o for o in company.every if o["year"] == row["year"] and o["number"] == row["number"] - 1]
        chosen["numbers"] = {str(row["id"]): (near[0] if near else other)["number"]}
    return chosen


def _last(company: Company) -> date:
    days = [row["date"] for row in company.every]
    if not days:
        raise ValueError("the company has no booked vouchers")
    return date.fromisoformat(max([day for day in days if day <= company.today] or days))


def _recent(company: Company) -> list[Obj]:
    """Vouchers of the last 60 days that change balances, in order of day; all of those when there are none."""
    last = _last(company)
    rows = sorted(company.every, key=lambda row: (row["date"], row["id"]))
    rows = [row for row in rows if row["date"] <= last.isoformat() and _moves(row)]
    recent = [row for row in rows if row["date"] > (last - RECENT).isoformat()]
    return recent or rows


def _moves(row: Obj) -> bool:
    sums: dict[int, int] = {}
    for posting in row["postings"]:
        sums[posting["account"]] = sums.get(posting["account"], 0) + posting["amount"]
    return any(sums.values())


def _named(settings: Mapping[str, Any], company: Company) -> list[Obj]:
    """The vouchers the settings name, or one from the middle of the recent ones."""
    names = settings.get("external_ids") or ([settings["external_id"]] if settings.get("external_id") else [])
    if names:
        found = [row for row in company.every if row["story"] in names]
        if len(found) != len(names):
            raise ValueError(f"external_ids: not all of {names} are booked vouchers")
        return found
    recent = _recent(company)
    return [recent[len(recent) // 2]]


def _vouchers(name: str, settings: Mapping[str, Any], company: Company) -> list[int]:
    if settings.get("external_ids") or settings.get("external_id"):
        return [row["id"] for row in _named(settings, company)]
    count = int(settings.get("count", 1 if name == "drop_voucher" else 20))
    if name == "drop_voucher":
        recent = _recent(company)
        middle = len(recent) // 2
        return [row["id"] for row in recent[middle : middle + count]]
    rows = sorted(company.every, key=lambda row: (row["date"], row["id"]))
    end = next((n for n, row in enumerate(rows) if row["id"] == _recent(company)[-1]["id"]), len(rows) - 1)
    start = max(0, end - count - 2)
    return [row["id"] for row in rows[start : start + count]]


def _account(settings: Mapping[str, Any], company: Company, *, result_only: bool = False) -> int:
    accounts = company.objects["Account"]
    told = settings.get("account")
    if told is not None:
        found = next((row["id"] for row in accounts.values() if str(row["number"]) == str(told)), None)
        if found is None:
            raise ValueError(f"account: {told} is not in the chart")
        return int(found)
    used: dict[int, int] = {}
    for row in _recent(company):
        for id in {posting["account"] for posting in row["postings"] if posting["amount"]}:
            used[id] = used.get(id, 0) + 1
    if result_only:
        used = {id: n for id, n in used.items() if 3000 <= accounts[id]["number"] < 8000} or used
        return min(used, key=lambda id: (used[id], accounts[id]["number"]))
    return max(used, key=lambda id: (used[id], accounts[id]["number"]))
