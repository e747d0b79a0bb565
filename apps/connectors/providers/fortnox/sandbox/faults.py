"""Fault switches of a company: what goes wrong on the wire, what is missing from its books, what it may not see.

Wire: settings `nth` (or `page`: first request struck, 1), `times` (how many in a row, 0 = for good; `cut` and
`token_expired` default 1, the rest 0), `every` (every n-th instead), `path` (only requests whose path contains it; with
`page` the default is `/vouchers`), `seconds` (slow, 2), `retry_after` (too_many: seconds; default none, as the vendor
documents no header). `token_expired` ends the access token that was shown.

Books: `external_ids` (the story's vouchers) or `count` (drop_voucher 1, drop_page 20), `account` (hide_account,
one_cent), `from` ("YYYY-MM", one_cent), `row` (drop_line). What is not named is chosen, the same way every time, in the
last 60 days of the books, and so that balances show it. The vouchers are gone from lists, look-ups and the SIE file;
BalanceCarriedForward, #UB, #RES and #PSALDO stay true. `hide_account` hides the vouchers of the account, not its row
(the row is the control balance). `one_cent` adds 0.01 to BalanceCarriedForward, #UB or #RES and that month's #PSALDO.

Access: `withdrawn` (the consent was revoked), `right_withdrawn` (403 for the bookkeeping registers), `no_right`
(`registers`, default suppliers), `no_licence` (`code` 2001101 or 2001103, `scope` for the first, default bookkeeping;
`status` 403 or 400), `bare_403` (403 without a body for `path`, default /sie), `hidden_rows` (voucher lists empty, SIE
without vouchers).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from apps.connectors.providers.fortnox.sandbox import answers
from apps.connectors.providers.fortnox.sandbox.answers import Refused, Unauthorized
from apps.connectors.providers.fortnox.sandbox.ledger import Ledger, live
from apps.connectors.sdk.sandbox import Answer, Store

BEFORE = ("too_many", "token_expired", "server_error", "html_error", "html_200")  # instead of the answer
AFTER = ("slow", "cut", "malformed")  # with the answer
BOOKS = ("drop_voucher", "drop_page", "one_cent", "hide_account", "drop_line")
ACCESS = ("withdrawn", "right_withdrawn", "no_right", "no_licence", "bare_403", "hidden_rows")
SWITCHES = (*BEFORE, *AFTER, *BOOKS, *ACCESS)
HTML = (
    "<!DOCTYPE html><html lang='sv'><head><title>Fortnox</title></head>"
    "<body><h1>Tillfälligt avbrott</h1><p>Försök igen om en stund.</p></body></html>"
)
RECENT = timedelta(days=60)
BOOKKEEPING = ("accounts", "vouchers", "voucherseries", "financialyears", "sie")
Obj = dict[str, Any]


def switch_name(switch: str) -> str:
    name = switch.replace("-", "_")
    if name not in SWITCHES:
        raise ValueError(f"no fault {switch!r}; known: {', '.join(SWITCHES)}")
    return name


def struck(store: Store, company: str, name: str, settings: Mapping[str, Any], path: str) -> bool:
    """Whether the fault strikes this request; counts the chance."""
    if settings.get("path", "/vouchers" if "page" in settings else "") not in path:
        return False
    chance = store.hit(company, name)
    if settings.get("every"):
        return chance % int(settings["every"]) == 0
    first = int(settings.get("nth") or settings.get("page") or 1)
    times = int(settings.get("times", 1 if name in ("cut", "token_expired") else 0) or 0)
    return chance >= first and (not times or chance < first + times)


def before(store: Store, company: str, token: str, path: str, faults: Mapping[str, Obj]) -> Answer | None:
    """The answer that a fault gives in place of the right one; raises Refused for those with an error body."""
    for name in BEFORE:
        if name not in faults or not struck(store, company, name, faults[name], path):
            continue
        if name == "too_many":
            return too_many(faults[name].get("retry_after"))
        if name == "token_expired":
            store.drop("", "access", [token])
            raise Unauthorized
        if name == "server_error":
            raise Refused(500, *answers.SERVER)
        page = Answer(status=503 if name == "html_error" else 200, body=HTML.encode())
        page.headers["Content-Type"] = "text/html; charset=UTF-8"
        return page
    return _no_access(path, faults)


def _no_access(path: str, faults: Mapping[str, Obj]) -> Answer | None:
    resource = path.removeprefix("/3/").split("/")[0]
    if "bare_403" in faults and faults["bare_403"].get("path", "/sie") in path:
        return Answer(status=403, headers={"Content-Type": answers.JSON_TYPE})
    if "right_withdrawn" in faults and resource in BOOKKEEPING:
        raise answers.no_right(resource)
    if "no_right" in faults and resource in faults["no_right"].get("registers", ("suppliers",)):
        raise answers.no_right(resource)
    return None


def no_licence(faults: Mapping[str, Obj], scope: str) -> None:
    """Raises what a missing licence answers."""
    told = faults.get("no_licence")
    if told is None:
        return
    code, status = int(told.get("code", answers.NO_SCOPE_LICENCE[0])), int(told.get("status", 403))
    if code == answers.NO_API_LICENCE[0]:
        raise Refused(status, *answers.NO_API_LICENCE)
    if scope == told.get("scope", "bookkeeping"):
        raise Refused(status, *answers.NO_SCOPE_LICENCE)


def too_many(wait: int | None) -> Answer:
    """429 of the gateway; its body is unconfirmed, so is Retry-After."""
    answer = answers.answer({"message": "Too Many Requests"}, 429)
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def after(store: Store, company: str, path: str, faults: Mapping[str, Obj], answer: Answer) -> None:
    """Spoil an answer on its way out."""
    if answer.status != 200:
        return
    for name in AFTER:
        if name not in faults or not struck(store, company, name, faults[name], path):
            continue
        if name == "slow":
            answer.delay = faults[name].get("seconds", 2)
        elif name == "cut":
            answer.cut_after = len(answer.body) // 2
        else:
            answer.body = answer.body[: len(answer.body) * 2 // 3]


def resolve(name: str, settings: Mapping[str, Any], ledger: Ledger, today: str) -> Obj:
    """The settings with their targets chosen, so that they stay the same when the books go on."""
    chosen, recent = dict(settings), _recent(ledger, today)
    if name in ("drop_voucher", "drop_page"):
        chosen["ids"] = _vouchers(name, settings, ledger, recent)
    elif name == "hide_account":
        account = _account(settings, ledger, recent, result_only=True)
        chosen["ids"] = [row["id"] for row in ledger.every if any(line["account"] == account for line in row["rows"])]
        chosen["account"] = account
    elif name == "one_cent":
        chosen["account"] = _account(settings, ledger, recent)
        last = date.fromisoformat(recent[-1]["date"])
        chosen["from"] = str(settings.get("from") or (last.replace(day=1) - timedelta(days=1)).isoformat())[:7]
        if ledger.year_on(f"{chosen['from']}-01") is None:
            raise ValueError(f"from: {chosen['from']} lies in no financial year")
    elif name == "drop_line":
        row = _named(settings, ledger, recent)[0]
        lines = [n for n, line in enumerate(row["rows"]) if line["ore"] and line["state"] != "removed"]
        told = int(settings.get("row", 0)) - 1
        chosen |= {"id": row["id"], "line": told if told in lines else lines[0]}
    return chosen


def _recent(ledger: Ledger, today: str) -> list[Obj]:
    """Vouchers of the last 60 days that change balances, in order of day; all of those when there are none."""
    rows = sorted(ledger.every, key=lambda row: (row["date"], row["series"], row["number"]))
    rows = [row for row in rows if row["date"] <= today and _moves(row)] or [row for row in rows if _moves(row)]
    if not rows:
        raise ValueError("the company has no booked vouchers")
    since = (date.fromisoformat(rows[-1]["date"]) - RECENT).isoformat()
    return [row for row in rows if row["date"] > since]


def _moves(row: Obj) -> bool:
    sums: dict[str, int] = {}
    for line in live(row):
        sums[line["account"]] = sums.get(line["account"], 0) + line["ore"]
    return any(sums.values())


def _named(settings: Mapping[str, Any], ledger: Ledger, recent: list[Obj]) -> list[Obj]:
    """The vouchers the settings name, or one from the middle of the recent ones."""
    names = settings.get("external_ids") or ([settings["external_id"]] if settings.get("external_id") else [])
    if not names:
        return [recent[len(recent) // 2]]
    found = [row for row in ledger.every if row["story"] in names]
    if {row["story"] for row in found} != set(names):
        raise ValueError(f"external_ids: not all of {names} are booked vouchers")
    return found


def _vouchers(name: str, settings: Mapping[str, Any], ledger: Ledger, recent: list[Obj]) -> list[str]:
    if settings.get("external_ids") or settings.get("external_id"):
        return [row["id"] for row in _named(settings, ledger, recent)]
    count = int(settings.get("count", 1 if name == "drop_voucher" else 20))
    if name == "drop_voucher":
        middle = len(recent) // 2
        return [row["id"] for row in recent[middle : middle + count]]
    rows = sorted(ledger.every, key=lambda row: (row["date"], row["series"], row["number"]))
    start = max(0, rows.index(recent[-1]) - count - 2)
    return [row["id"] for row in rows[start : start + count]]


def _account(settings: Mapping[str, Any], ledger: Ledger, recent: list[Obj], *, result_only: bool = False) -> str:
    """The account named, or the most used of the last 60 days (`result_only`: the least used of income and cost)."""
    told = settings.get("account")
    if told is not None:
        if str(told) not in {row["number"] for row in ledger.accounts}:
            raise ValueError(f"account: {told} is not in the chart")
        return str(told)
    used: dict[str, int] = {}
    for row in recent:
        for account in {line["account"] for line in live(row) if line["ore"]}:
            used[account] = used.get(account, 0) + 1
    if result_only:
        used = {account: n for account, n in used.items() if "3" <= account[0] < "8"} or used
        return min(used, key=lambda account: (used[account], account))
    return max(used, key=lambda account: (used[account], account))
