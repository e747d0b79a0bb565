"""Where a client's books stand, in words: one sentence and one colour for the office and the API alike.

Green only for grades 1 and 2 (LEDGER 4), and only while the latest run ended well.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core.admin import amount_text, badge, day_text, time_text
from apps.ledger.enums import Grade, KeptOut
from apps.ledger.models import Proof
from apps.notifications.models import Problem
from apps.sync.enums import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a state is judged by. `stopped`: the latest run ended badly after the proof. `waiting`: a person must act."""

    proof: Proof | None = None
    fed: bool = False
    feeds: bool = False
    running: bool = False
    stopped: bool = False
    waiting: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`grade` is None where nothing was proved yet. `word` is short for lists, `sentence` says it whole."""

    code: str
    grade: int | None
    colour: str
    word: str
    sentence: str

    @property
    def badge(self) -> SafeString:
        return badge(self.colour, self.word)

    @property
    def is_complete(self) -> bool:
        return self.grade in (Grade.CONTROL_TOTALS, Grade.FILE_TOTALS)


_WORDS: dict[str, Any] = {
    "agrees_control_totals": gettext_lazy("agrees"),
    "agrees_file_totals": gettext_lazy("agrees"),
    "not_provable": gettext_lazy("not provable"),
    "not_complete": gettext_lazy("not complete"),
    "not_set_up": gettext_lazy("not set up"),
    "waiting": gettext_lazy("not read yet"),
    "paused": gettext_lazy("paused"),
    "running": gettext_lazy("first load"),
    "number_changed": gettext_lazy("hidden"),
}
_PROVED = {
    Grade.CONTROL_TOTALS: ("agrees_control_totals", "green"),
    Grade.FILE_TOTALS: ("agrees_file_totals", "green"),
    Grade.NOT_PROVABLE: ("not_provable", "outline"),
    Grade.NOT_COMPLETE: ("not_complete", "red"),
}


def state_of(facts: Facts) -> State:
    proof = facts.proof
    if facts.hidden:
        told = _("hidden: the organisation number was changed; a manager has to release what was read")
        return _state("number_changed", None, "red", [told])
    if proof is None:
        return _unread(facts)
    ending = _ending(proof)
    if facts.feeds and not facts.fed:
        return _state("paused", None, "grey", [_("paused: nothing is read at night"), _was(proof), *ending])
    if facts.stopped and proof.grade != Grade.NOT_COMPLETE:
        told = _("not complete: the last run stopped before its end")
        return _state("not_complete", Grade.NOT_COMPLETE, _alarm(facts), [told, _was(proof), *ending])
    code, colour = _PROVED[Grade(proof.grade)]
    if proof.grade == Grade.NOT_COMPLETE:
        return _state(code, Grade.NOT_COMPLETE, _alarm(facts), [_incomplete(proof), *ending])
    return _state(code, proof.grade, colour, [_proved(proof), *ending])


def _unread(facts: Facts) -> State:
    if facts.running:
        return _state("running", None, "blue", [_("the first load is running")])
    if facts.stopped:
        told = _("not complete: nothing has been read yet, the last run stopped")
        return _state("not_complete", Grade.NOT_COMPLETE, _alarm(facts), [told])
    if facts.waiting:
        return _state("not_complete", Grade.NOT_COMPLETE, "red", [_("not complete: nothing has been read yet")])
    if facts.feeds:
        return _state("waiting", None, "grey", [_("connected; nothing has been read yet")])
    return _state("not_set_up", None, "grey", [_("not set up: no integration gives the ledger")])


def _alarm(facts: Facts) -> str:
    return "red" if facts.waiting else "amber"


def _state(code: str, grade: int | None, colour: str, parts: list[str]) -> State:
    sentence = "; ".join(parts)
    return State(code=code, grade=grade, colour=colour, word=str(_WORDS[code]), sentence=sentence)


def _proved(proof: Proof) -> str:
    values = {"source": proof.source_label, "time": time_text(proof.at), "grade": proof.get_grade_display()}
    return _("%(grade)s (%(source)s, read %(time)s)") % values


def _was(proof: Proof) -> str:
    values = {"time": time_text(proof.at), "grade": proof.get_grade_display()}
    return _("on %(time)s: %(grade)s") % values


def _ending(proof: Proof) -> list[str]:
    parts = []
    if proof.last_entry:
        parts.append(_("last entry %(day)s") % {"day": day_text(proof.last_entry)})
    if proof.closed_to:
        parts.append(_("closed to %(day)s") % {"day": day_text(proof.closed_to)})
    return parts


def _incomplete(proof: Proof) -> str:
    parts = []
    accounts = len({row["account"] for row in proof.differences})
    if accounts:
        told = ngettext(
            "%(count)d account differs by %(amount)s", "%(count)d accounts differ by %(amount)s in all", accounts
        )
        parts.append(told % {"count": accounts, "amount": amount_text(proof.control_difference)})
    kept_out = sum(1 for row in proof.missing if row.get("kind") == "kept_out")
    if kept_out:
        told = ngettext("%(count)d voucher could not be taken in", "%(count)d vouchers could not be taken in", kept_out)
        parts.append(told % {"count": kept_out})
    for row in proof.missing:
        if row.get("kind") == "not_read":
            parts.append(_("stopped at “%(step)s”") % {"step": _step(row)})
        elif row.get("kind") != "kept_out":
            parts.append(_("parts were not read"))
    what = ", ".join(parts) or _("the comparison was not finished")
    values = {"what": what, "source": proof.source_label, "time": time_text(proof.at)}
    return _("not complete: %(what)s (%(source)s, %(time)s)") % values


# -- What is missing, line by line ------------------------------------------------------------------------------------

PARTS: dict[str, Any] = {
    "opening": gettext_lazy("opening"),
    "movement": gettext_lazy("movement"),
    "closing": gettext_lazy("closing"),
}


def missing_lines(proof: Proof, *, told: Collection[str] = ()) -> list[str]:
    """What was not read or not taken in, a sentence each; differing accounts stand in `proof.differences`.

    `told`: codes of problems that the page shows anyway.
    """
    rows = [row for row in proof.missing if row.get("code") not in told]
    return [_MISSING.get(str(row.get("kind")), _other)(row) for row in rows]


def _kept_out(row: dict[str, Any]) -> str:
    reasons = dict(KeptOut.choices)
    values = {"voucher": row.get("voucher", ""), "reason": reasons.get(row.get("reason", ""), "")}
    values |= {"date": _day(row.get("date")), "difference": row.get("difference", "")}
    return _("Voucher %(voucher)s of %(date)s was kept out: %(reason)s (%(difference)s).") % values


def _disappeared(row: dict[str, Any]) -> str:
    return _("%(gone)s of %(held)s vouchers were no longer returned; nothing was deleted.") % {
        "gone": row.get("gone", ""),
        "held": row.get("held", ""),
    }


def _not_read(row: dict[str, Any]) -> str:
    facts = {name: str(value) for name, value in row.items() if name not in {"kind", "code", "stage", "title"}}
    return Problem(title_text=str(row.get("title", "")), facts=facts).title


def _step(row: dict[str, Any]) -> str:
    return str(dict(Stage.choices).get(str(row.get("stage")), row.get("stage", "")))


def _other(row: dict[str, Any]) -> str:
    return ", ".join(str(value) for name, value in row.items() if name != "kind") or str(row.get("kind", ""))


_MISSING: dict[str, Callable[[dict[str, Any]], str]] = {
    "kept_out": _kept_out,
    "mass_disappearance": _disappeared,
    "not_read": _not_read,
}


def _day(text: Any) -> str:
    return day_text(date.fromisoformat(text), year=True) if text else ""
