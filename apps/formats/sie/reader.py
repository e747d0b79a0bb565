"""One pass over the lines of a SIE 1-4 file. What is not known is skipped, with the sub-records it opens."""

from collections.abc import Callable
from typing import NoReturn

from apps.formats.sie.chart import name_kinds
from apps.formats.sie.checksum import checksum_agrees
from apps.formats.sie.collect import Collected
from apps.formats.sie.encoding import EXPORT_AGAIN, decode
from apps.formats.sie.faults import MOST_PROBLEMS, FieldFault, Problem, SieError, refuse
from apps.formats.sie.fields import required, text_at
from apps.formats.sie.finish import finish, undated
from apps.formats.sie.model import SieFile
from apps.formats.sie.tokens import Field, Fields, Line, read_fields, read_lines, split_lines
from apps.formats.sie.vouchers import Draft

MAX_BYTES = 256 * 1024 * 1024
INSIDE = ("TRANS", "RTRANS", "BTRANS")


def read_sie(
    data: bytes, *, encoding: str | None = None, max_bytes: int = MAX_BYTES, ignore_checksum: bool = False
) -> SieFile:
    """The file as records. Raises SieError with the problems found: a file is taken whole or refused whole.

    A wrong #KSUMMA refuses the file, since it says that this is not what the program wrote; `ignore_checksum` makes it
    a warning, for the person who knows why.
    """
    if len(data) > max_bytes:
        text = f"The file has {len(data)} bytes; at most {max_bytes} are read."
        raise refuse("sie.too_large", text, "Export one fiscal year at a time.")
    decoded = decode(data, encoding)
    reader = Reader(split_lines(decoded.text), decoded.encoding, ignore_checksum=ignore_checksum)
    reader.out.warnings.extend(decoded.warnings)
    return finish(reader.read(), decoded.encoding)


class Reader:
    """Structure of the file: braces, vouchers, unknown records, the protected block. Only `read` is for others."""

    def __init__(self, raw: list[str], encoding: str, *, ignore_checksum: bool) -> None:
        self.raw, self.encoding, self.ignore_checksum = raw, encoding, ignore_checksum
        self.out = Collected()
        self.handlers = self.out.handlers()
        self.problems: list[Problem] = []
        self.draft: Draft | None = None
        self.opened = False  # the brace after #VER has been read
        self.depth = 0  # of the braces of an unknown record
        self.after_unknown = False
        self.added: tuple[int, list[Field]] | None = None  # #RTRANS whose #TRANS has not come
        self.protected_from = 0
        self.repaired: list[int] = []

    def read(self) -> Collected:
        self._read_kinds()
        for line in read_lines(self.raw):
            self._line(line)
        if self.draft is not None:
            self._stop(self.draft.line, "#VER", "The voucher is not closed when the file ends.")
        if self.depth:
            self._stop(len(self.raw), "", "A brace is not closed when the file ends.")
        if self.protected_from:
            self._stop(self.protected_from, "#KSUMMA", "The protected block that begins here has no end.")
        if not self.out.labels and not self.problems:
            raise refuse("sie.no_records", "The file has no SIE records.", EXPORT_AGAIN)
        self._warn_of_form()
        self.problems.extend(undated(self.out))
        if self.problems:
            raise SieError(self.problems[:MOST_PROBLEMS])
        return self.out

    def _warn_of_form(self) -> None:
        if self.repaired:
            count = len(self.repaired)
            self.out.warn(self.repaired[0], f"Quotes do not match in {count} lines, of which this is the first.")
        if self.raw[-1].strip(" \t\x1a") not in ("", "}"):
            self.out.warn(len(self.raw), "The last line has no line end: the file may be cut off.")

    def _read_kinds(self) -> None:
        """Names of dimensions first: an object list may come before the #DIM it needs."""
        declared: dict[str, str] = {}
        for line in read_lines(self.raw):
            if line.label in ("DIM", "UNDERDIM"):
                try:
                    fields = read_fields(line.text).values
                    declared[required(fields, 0, "dimension")] = text_at(fields, 1)
                except FieldFault:
                    continue  # named with its line when the line's turn comes
        self.out.kinds = name_kinds(declared)

    def _line(self, line: Line) -> None:
        unknown_before, self.after_unknown = self.after_unknown, False
        if self.depth or (unknown_before and line.label == "{"):
            self._skip(line)
        elif line.label == "{":
            self._open(line)
        elif line.label == "}":
            self._close(line)
        elif not line.label:
            self._keep("sie.line", line.number, "", f"{line.text[:40]!r} is not a SIE record.", EXPORT_AGAIN)
        elif self.draft is not None:
            self._within(self.draft, line)
        elif line.label == "VER":
            self._start(line)
        elif line.label == "KSUMMA":
            self._checksum(line)
        elif line.label in INSIDE:
            self._keep("sie.outside", line.number, f"#{line.label}", "The row stands outside a voucher.", EXPORT_AGAIN)
        elif handler := self.handlers.get(line.label):
            fields = self._fields(line)
            if fields is not None:
                self._call(line, lambda: handler(line.number, fields))
        else:
            self._unknown(line)

    def _unknown(self, line: Line) -> None:
        if line.text.endswith("{"):
            self.depth = 1
        else:
            self.after_unknown = True

    def _skip(self, line: Line) -> None:
        if line.label == "}":
            self.depth -= 1
        elif line.text.endswith("{"):
            self.depth += 1

    def _start(self, line: Line) -> None:
        try:
            fields = self._read(line)
            self.opened = fields.opens
            self.draft = self.out.start_voucher(line.number, fields.values)
        except FieldFault as fault:
            self._keep_fault(fault, line, self.out.place)
            # Its rows are read on, for their own problems, into a voucher that the refusal throws away.
            self.draft, self.opened = Draft.nowhere(line.number), line.text.endswith("{")
        self.out.labels.add("VER")

    def _within(self, draft: Draft, line: Line) -> None:
        if not self.opened or line.label in self.handlers or line.label in ("VER", "KSUMMA"):
            self._stop(draft.line, "#VER", f"The voucher is not closed before line {line.number}.")
        if line.label not in INSIDE:
            self._unknown(line)
            return
        fields = self._fields(line)
        if fields is None:
            return
        if line.label == "TRANS":
            if self.added is not None and self.added[1][:3] != fields[:3]:  # dates and signs differ in real files
                self._forget_added()
            self.added = None
            self._call(line, lambda: draft.rows.append(self.out.read_row(line.number, fields)))
            return
        self._forget_added()
        if line.label == "RTRANS":
            self.added = (line.number, fields)
        name = "added_rows" if line.label == "RTRANS" else "removed_rows"
        draft.custom[name] = draft.custom.get(name, 0) + 1

    def _forget_added(self) -> None:
        """The standard repeats every #RTRANS as #TRANS, so that only #TRANS counts."""
        if self.added is not None:
            self.out.warn(self.added[0], "The #RTRANS is not followed by its #TRANS and does not count.")
            self.added = None

    def _open(self, line: Line) -> None:
        if self.draft is None or self.opened:
            self._stop(line.number, "", "A brace opens where no voucher begins.")
        self.opened = True

    def _close(self, line: Line) -> None:
        if self.draft is None or not self.opened:
            self._stop(line.number, "", "A brace closes that was not opened.")
        else:
            self._forget_added()
            self.out.drafts.append(self.draft)
            self.draft, self.opened = None, False

    def _checksum(self, line: Line) -> None:
        fields = self._fields(line) or []
        text = text_at(fields, 0)
        if not self.protected_from:
            if text:
                self.out.warn(line.number, "The #KSUMMA has no beginning: nothing is checked.")
            self.protected_from = 0 if text else line.number
            return
        start, self.protected_from = self.protected_from, 0
        if not text.removeprefix("-").isdecimal() or len(text) > 20:
            self._keep("sie.checksum", line.number, "#KSUMMA", "The checksum is not a number.", EXPORT_AGAIN)
        elif checksum_agrees(self.raw[start : line.number - 1], int(text), self.encoding):
            self.out.checksum_verified = True
        elif self.ignore_checksum:
            self.out.warn(line.number, "The checksum does not agree with the file.")
        else:
            message = f"The checksum does not agree with lines {start + 1} to {line.number - 1}: the file was changed."
            self._keep("sie.checksum", line.number, "#KSUMMA", message, EXPORT_AGAIN)

    def _fields(self, line: Line) -> list[Field] | None:
        """None when they cannot be read: the problem is kept."""
        try:
            fields = self._read(line)
        except FieldFault as fault:
            self._keep_fault(fault, line, "")
            return None
        if fields.opens:
            self._keep("sie.braces", line.number, f"#{line.label}", "The object list is not closed.", EXPORT_AGAIN)
            return None
        return fields.values

    def _read(self, line: Line) -> Fields:
        fields = read_fields(line.text)
        if fields.unclosed and line.number == len(self.raw):
            raise FieldFault(
                "sie.structure", "The file ends within a text.", "The file may be cut off: export it again."
            )
        if fields.repaired:
            self.repaired.append(line.number)
        return fields

    def _call(self, line: Line, handle: Callable[[], None]) -> None:
        self.out.place = ""
        try:
            handle()
            self.out.labels.add(line.label)
        except FieldFault as fault:
            self._keep_fault(fault, line, self.out.place)

    def _keep_fault(self, fault: FieldFault, line: Line, place: str) -> None:
        self._keep(fault.code, line.number, f"#{line.label} {place}".strip(), fault.text, fault.remedy)

    def _keep(self, code: str, line: int, place: str, text: str, remedy: str) -> None:
        self.problems.append(Problem(code=code, line=line, place=place, text=text, remedy=remedy))
        if len(self.problems) >= MOST_PROBLEMS:
            raise SieError(self.problems)

    def _stop(self, line: int, place: str, text: str) -> NoReturn:
        """Braces that do not match: every later line would be misread."""
        self._keep("sie.structure", line, place, text, "The file may be cut off: export it again.")
        raise SieError(self.problems[:MOST_PROBLEMS])
