"""What was collected, as the result of the reader."""

from collections.abc import Iterable

from apps.formats.sie.chart import account_type, kind_of
from apps.formats.sie.collect import CORRECT, Collected
from apps.formats.sie.faults import Problem
from apps.formats.sie.model import DimensionKind, PeriodBalance, SieFile, YearBalance, mark_parts
from apps.formats.sie.vouchers import Identities, build_voucher
from apps.records.ledger import Account, Dimension, Figure, Voucher

HEADER = ["", ""]


def undated(out: Collected) -> list[Problem]:
    """Balances of year 0 without its dates cannot be placed, and an account has one balance a year."""
    problems = []
    tables = {"#IB": out.openings, "#UB": out.closings, "#RES": out.results}
    for label, rows in tables.items():
        seen: dict[tuple[int, str], YearBalance] = {}
        for row in rows:
            if seen.setdefault((row.year, row.account), row).amount != row.amount:
                text = f"Account {row.account} of year {row.year} stands there twice, with other amounts."
                problems.append(Problem(code="sie.twice", line=row.line, place=label, text=text, remedy=CORRECT))
    placed: Iterable[YearBalance | PeriodBalance] = (
        *out.openings, *out.closings, *out.results, *out.period_rows, *out.budget_rows,
    )  # fmt: skip
    first = next((row for row in placed if row.year == 0), None)
    year = out.years.get(0)
    if first is not None and (year is None or year.start is None):
        text = "The file has balances of year 0 and does not say when it begins and ends."
        problems.append(Problem(code="sie.year", line=first.line, place="#RAR 0", text=text, remedy=CORRECT))
    return problems


def finish(out: Collected, encoding: str) -> SieFile:
    _warn_of_years(out)
    sie_type = _type_of(out)
    period_parts, budget_parts = _parts(out.period_rows, out), _parts(out.budget_rows, out)
    vouchers = _vouchers(out)
    declared = tuple(_account(number, name, out) for number, name in out.names.items())
    return SieFile(
        sie_type=sie_type,
        is_import=sie_type == 4 and not (out.openings or out.closings or out.results),
        encoding=encoding,
        currency=_header(out, "VALUTA").upper() or "SEK",
        program=_header(out, "PROGRAM"),
        program_version=_header(out, "PROGRAM", 1),
        flag=1 if _header(out, "FLAGGA") == "1" else 0,
        generated=out.generated,
        generated_by=_header(out, "GEN", 1),
        company=_header(out, "FNAMN"),
        company_id=_header(out, "FNR"),
        organisation_number=_header(out, "ORGNR"),
        chart=_header(out, "KPTYP"),
        covers_until=out.covers_until,
        fiscal_years=tuple(sorted(out.years.values(), key=lambda year: -year.number)),
        accounts=declared,
        undeclared_accounts=tuple(_account(number, "", out) for number in out.used_accounts if number not in out.names),
        dimension_kinds=tuple(
            DimensionKind(number, kind_of(number, out.kinds), name, parent)
            for number, (name, parent) in out.dims.items()
        ),
        dimensions=tuple(_dimension(number, code, name, out) for (number, code), name in out.objects.items()),
        undeclared_dimensions=tuple(
            _dimension(number, code, "", out)
            for number, code in out.used_objects
            if number and code and (number, code) not in out.objects
        ),
        openings=_once(out.openings),
        opening_parts=tuple(out.opening_parts),
        closings=_once(out.closings),
        closing_parts=tuple(out.closing_parts),
        results=_once(out.results),
        period_balances=_marked(out.period_rows, period_parts),
        budgets=tuple(_figure(row, out) for row in out.budget_rows if row.line not in budget_parts),
        budget_parts=tuple(_figure(row, out) for row in out.budget_rows if row.line in budget_parts),
        vouchers=vouchers,
        checksum_verified=out.checksum_verified,
        warnings=tuple(out.warnings),
    )


def _header(out: Collected, label: str, index: int = 0) -> str:
    return out.header.get(label, HEADER)[index]


def _type_of(out: Collected) -> int:
    if out.sie_type is not None:
        if out.sie_type < 4 and out.drafts:
            out.warn(out.drafts[0].line, f"The file says it is SIE type {out.sie_type} and has vouchers.")
        return out.sie_type
    # The standard lets #SIETYP out only for type 1; real files do so for others.
    if out.drafts:
        found = 4
    elif any(row.dimensions for row in out.period_rows) or out.opening_parts:
        found = 3
    else:
        found = 2 if out.period_rows else 1
    out.warn(0, f"The file does not say its SIE type; read as type {found}.")
    return found


def _warn_of_years(out: Collected) -> None:
    """Years before the file's own are for comparison: without dates they cannot be placed and stay in the result."""
    told: set[int] = set()
    placed: tuple[YearBalance | PeriodBalance, ...] = (*out.openings, *out.closings, *out.results, *out.period_rows)
    for row in placed:
        year = out.years.get(row.year)
        if row.amount and row.year not in told and (year is None or year.start is None):
            told.add(row.year)
            out.warn(row.line, f"The file has balances of year {row.year} and no dates of it: they cannot be placed.")


def _account(number: str, name: str, out: Collected) -> Account:
    custom: dict[str, object] = {}
    if sru := out.sru.get(number):
        custom["sru"] = sru
    if unit := out.units.get(number):
        custom["unit"] = unit
    if letter := out.ktyp.get(number):
        custom["ktyp"] = letter
    return Account(
        number=number, name=name, type=account_type(number, out.ktyp.get(number, "")), external_id=number, custom=custom
    )


def _dimension(number: str, code: str, name: str, out: Collected) -> Dimension:
    """#UNDERDIM puts a dimension, not an item, under another: the kind above is in `custom`, `parent` stays empty."""
    custom = {"dimension": number}
    _, parent = out.dims.get(number, ("", None))
    if parent:
        custom["parent_kind"] = kind_of(parent, out.kinds)
    return Dimension(
        kind=kind_of(number, out.kinds), code=code, name=name, external_id=f"{number}:{code}", custom=custom
    )


def _once(rows: list[YearBalance]) -> tuple[YearBalance, ...]:
    """A repeated row with the same amount is one (with another it has refused the file)."""
    return tuple({(row.year, row.account): row for row in rows}.values())


def _parts(rows: list[PeriodBalance], out: Collected) -> set[int]:
    parts, guessed = mark_parts(rows)
    if guessed:
        out.warn(guessed, "Rows by object have no row of the whole account and overlap: the most detailed ones count.")
    return parts


def _marked(rows: list[PeriodBalance], parts: set[int]) -> tuple[PeriodBalance, ...]:
    return tuple(
        PeriodBalance(
            line=row.line, year=row.year, period=row.period, account=row.account, amount=row.amount,
            part=row.line in parts, quantity=row.quantity, dimensions=row.dimensions, more=row.more,
        )
        for row in rows
    )  # fmt: skip


def _figure(row: PeriodBalance, out: Collected) -> Figure:
    dimensions = ",".join(f"{kind}={code}" for kind, code in sorted(row.dimensions.items()))
    custom: dict[str, object] = {"year": row.year}
    if row.more:
        custom["more_objects"] = row.more
    return Figure(
        external_id=f"{row.year}|{row.period}|{row.account}|{dimensions}",
        series="budget",
        key=row.account,
        value=row.amount,
        period=row.period,
        unit=_header(out, "VALUTA").upper() or "SEK",
        dimensions=row.dimensions,
        custom=custom,
    )


def _vouchers(out: Collected) -> tuple[Voucher, ...]:
    identities = Identities(out.years.values())
    dated = any(year.start for year in identities.years)
    for draft in out.drafts:
        if dated and identities.year_of(draft.date) is None:
            out.warn(draft.line, f"The voucher of {draft.date.isoformat()} lies outside the fiscal years of the file.")
    return tuple(build_voucher(draft, identities) for draft in out.drafts)
