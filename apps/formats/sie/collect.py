"""What the lines of a file say so far, and one method for each label."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from apps.formats.sie.chart import KTYP
from apps.formats.sie.faults import FieldFault, SieWarning
from apps.formats.sie.fields import Objects, read_objects, required, take_objects, text_at
from apps.formats.sie.model import PeriodBalance, Year, YearBalance
from apps.formats.sie.tokens import Field
from apps.formats.sie.values import read_amount, read_date, read_period, read_quantity, read_year_no
from apps.formats.sie.vouchers import Draft, Row

Handler = Callable[[int, list[Field]], None]
CORRECT = "Correct it in the source and export the file again."


@dataclass(slots=True)
class Collected:
    """`place` is the field being read, for the message when it cannot be."""

    kinds: dict[str, str] = field(default_factory=dict)
    header: dict[str, list[str]] = field(default_factory=dict)
    years: dict[int, Year] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    ktyp: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    sru: dict[str, list[str]] = field(default_factory=dict)
    dims: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    objects: dict[tuple[str, str], str] = field(default_factory=dict)
    used_accounts: dict[str, int] = field(default_factory=dict)
    used_objects: dict[tuple[str, str], int] = field(default_factory=dict)
    openings: list[YearBalance] = field(default_factory=list)
    opening_parts: list[YearBalance] = field(default_factory=list)
    closings: list[YearBalance] = field(default_factory=list)
    closing_parts: list[YearBalance] = field(default_factory=list)
    results: list[YearBalance] = field(default_factory=list)
    result_parts: list[YearBalance] = field(default_factory=list)
    period_rows: list[PeriodBalance] = field(default_factory=list)
    budget_rows: list[PeriodBalance] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    warnings: list[SieWarning] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    generated: date | None = None
    covers_until: date | None = None
    sie_type: int | None = None
    checksum_verified: bool = False
    place: str = ""

    def handlers(self) -> dict[str, Handler]:
        plain = ("PROGRAM", "FNAMN", "FNR", "ORGNR", "KPTYP", "VALUTA", "FLAGGA")
        known = ("FORMAT", "ADRESS", "PROSA", "TAXAR", "FTYP", "BKOD")
        return {
            **{label: self._keep_header(label) for label in plain},
            **dict.fromkeys(known, _ignore),
            "SIETYP": self._sietyp,
            "GEN": self._gen,
            "OMFATTN": self._omfattn,
            "RAR": self._rar,
            "KONTO": self._konto,
            "KTYP": self._ktyp,
            "ENHET": self._enhet,
            "SRU": self._sru,
            "DIM": self._dim,
            "UNDERDIM": self._underdim,
            "OBJEKT": self._objekt,
            "IB": lambda line, fields: self._of_year(line, fields, self.openings, self.opening_parts),
            "UB": lambda line, fields: self._of_year(line, fields, self.closings, self.closing_parts),
            "RES": lambda line, fields: self._of_year(line, fields, self.results, self.result_parts),
            "OIB": lambda line, fields: self._of_year(line, fields, None, self.opening_parts),
            "OUB": lambda line, fields: self._of_year(line, fields, None, self.closing_parts),
            "PSALDO": lambda line, fields: self._of_period(line, fields, self.period_rows),
            "PBUDGET": lambda line, fields: self._of_period(line, fields, self.budget_rows),
        }

    def warn(self, line: int, text: str) -> None:
        self.warnings.append(SieWarning(line, text))

    # header

    def _keep_header(self, label: str) -> Handler:
        def keep(_line: int, fields: list[Field]) -> None:
            self.header[label] = [text_at(fields, index) for index in range(2)]

        return keep

    def _sietyp(self, _line: int, fields: list[Field]) -> None:
        text = self._required(fields, 0, "type")
        if text not in ("1", "2", "3", "4"):
            if text.upper() not in ("4E", "4I"):
                raise FieldFault(
                    "sie.type", f"SIE type {text[:20]!r} is not read here.", "Export the file as SIE 1 to 4."
                )
            text = "4"
        self.sie_type = int(text)

    def _gen(self, line: int, fields: list[Field]) -> None:
        self.generated = self._lenient_date(line, fields, 0)
        self.header["GEN"] = ["", text_at(fields, 1)]

    def _omfattn(self, line: int, fields: list[Field]) -> None:
        self.covers_until = self._lenient_date(line, fields, 0)

    def _rar(self, _line: int, fields: list[Field]) -> None:
        number = read_year_no(self._required(fields, 0, "year"))
        start, end = self._date(fields, 1, "start"), self._date(fields, 2, "end")
        if (start is None) != (end is None) or (start and end and start > end):
            raise FieldFault("sie.year", "The fiscal year has no sensible start and end.", CORRECT)
        year = Year(number, start, end)
        if self.years.setdefault(number, year) != year:
            raise FieldFault("sie.year", f"The fiscal year {number} is given twice, with other dates.", CORRECT)

    # chart and dimensions

    def _konto(self, line: int, fields: list[Field]) -> None:
        number, name = self._required(fields, 0, "account"), text_at(fields, 1)
        if self.names.get(number, name) != name:
            self.warn(line, f"Account {number} is declared twice; the later name counts.")
        self.names[number] = name

    def _ktyp(self, line: int, fields: list[Field]) -> None:
        number, letter = self._required(fields, 0, "account"), text_at(fields, 1).upper()
        if letter in KTYP:
            self.ktyp[number] = letter
        elif letter:
            self.warn(line, f"Account {number} has the unknown type {letter[:10]!r}; its number decides.")

    def _enhet(self, _line: int, fields: list[Field]) -> None:
        self.units[self._required(fields, 0, "account")] = text_at(fields, 1)

    def _sru(self, _line: int, fields: list[Field]) -> None:
        self.sru.setdefault(self._required(fields, 0, "account"), []).append(text_at(fields, 1))

    def _dim(self, _line: int, fields: list[Field]) -> None:
        self.dims[self._required(fields, 0, "dimension")] = (text_at(fields, 1), None)

    def _underdim(self, _line: int, fields: list[Field]) -> None:
        number = self._required(fields, 0, "dimension")
        self.dims[number] = (text_at(fields, 1), text_at(fields, 2) or None)

    def _objekt(self, _line: int, fields: list[Field]) -> None:
        number, code = self._required(fields, 0, "dimension"), self._required(fields, 1, "object")
        self.objects[number, code] = text_at(fields, 2)

    # balances

    def _of_year(
        self, line: int, fields: list[Field], rows: list[YearBalance] | None, parts: list[YearBalance]
    ) -> None:
        group, fields = take_objects(fields, 2)
        year = read_year_no(self._required(fields, 0, "year"))
        account = self._required(fields, 1, "account")
        amount = self._amount(fields, 2)
        dimensions, more = self._objects(line, group)
        row = YearBalance(
            line=line,
            year=year,
            account=account,
            amount=amount,
            quantity=self._quantity(line, fields, 3),
            dimensions=dimensions,
            more=more,
        )
        if dimensions or rows is None:
            parts.append(row)
        else:
            rows.append(row)
        self.use(line, account)

    def _of_period(self, line: int, fields: list[Field], rows: list[PeriodBalance]) -> None:
        group, fields = take_objects(fields, 3)
        year = read_year_no(self._required(fields, 0, "year"))
        self.place = "period"
        period = read_period(self._required(fields, 1, "period"))
        account = self._required(fields, 2, "account")
        amount = self._amount(fields, 3)
        dimensions, more = self._objects(line, group)
        rows.append(
            PeriodBalance(
                line=line,
                year=year,
                period=period,
                account=account,
                amount=amount,
                quantity=self._quantity(line, fields, 4),
                dimensions=dimensions,
                more=more,
            )
        )
        self.use(line, account)

    # vouchers

    def start_voucher(self, line: int, fields: list[Field]) -> Draft:
        day = self._date(fields, 2, "date")
        if day is None:
            raise FieldFault("sie.missing", "The date of the voucher is missing.", CORRECT)
        draft = Draft(line, text_at(fields, 0), text_at(fields, 1), day, text_at(fields, 3))
        if registered := self._lenient_date(line, fields, 4):
            draft.custom["registered"] = registered.isoformat()
        if sign := text_at(fields, 5):
            draft.custom["sign"] = sign
        return draft

    def read_row(self, line: int, fields: list[Field]) -> Row:
        group, fields = take_objects(fields, 1)
        account = self._required(fields, 0, "account")
        amount = self._amount(fields, 1)
        day = self._date(fields, 2, "date")
        dimensions, more = self._objects(line, group)
        row = Row(line, account, amount, day, dimensions, {}, text_at(fields, 3), self._quantity(line, fields, 4))
        if more:
            row.custom["more_objects"] = more
        if sign := text_at(fields, 5):
            row.custom["sign"] = sign
        self.use(line, account)
        return row

    # fields

    def use(self, line: int, account: str) -> None:
        self.used_accounts.setdefault(account, line)

    def _required(self, fields: list[Field], index: int, what: str) -> str:
        self.place = what
        return required(fields, index, what)

    def _amount(self, fields: list[Field], index: int) -> Decimal:
        self.place = "amount"
        return read_amount(text_at(fields, index))

    def _date(self, fields: list[Field], index: int, what: str) -> date | None:
        self.place = what
        return read_date(text_at(fields, index))

    def _lenient_date(self, line: int, fields: list[Field], index: int) -> date | None:
        """A date that moves no money: left out with a warning when it cannot be read."""
        text = text_at(fields, index)
        try:
            return read_date(text)
        except FieldFault as fault:
            self.warn(line, f"{fault.text} It is left out.")
            return None

    def _quantity(self, line: int, fields: list[Field], index: int) -> Decimal | None:
        try:
            return read_quantity(text_at(fields, index))
        except FieldFault as fault:
            self.warn(line, f"{fault.text} It is left out.")
            return None

    def _objects(self, line: int, group: tuple[str, ...]) -> Objects:
        self.place = "objects"
        for pair in zip(group[::2], group[1::2], strict=False):
            self.used_objects.setdefault((pair[0].strip(), pair[1].strip()), line)
        return read_objects(group, self.kinds)


def _ignore(_line: int, _fields: list[Field]) -> None:
    """Known, and not needed."""
