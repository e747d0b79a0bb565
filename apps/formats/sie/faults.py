"""What is wrong with a SIE file, in words a bookkeeper can act on."""

from dataclasses import dataclass

MOST_PROBLEMS = 50  # a file read with the wrong program has one per line; nobody reads the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A reason to refuse the file. `line` counts from 1; 0 is the file as a whole. `place` is label and field."""

    code: str
    line: int
    place: str
    text: str
    remedy: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.place) if part)
        return f"{where}: {self.text} {self.remedy}" if where else f"{self.text} {self.remedy}"


@dataclass(frozen=True, slots=True)
class SieWarning:
    """Something taken in as it stands that staff should know. `line` 0 is the file as a whole."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


class SieError(Exception):
    """The file is refused whole. `problems` is never empty and holds at most `MOST_PROBLEMS`."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class FieldFault(ValueError):
    """One field cannot be read; the reader adds line and place."""

    def __init__(self, code: str, text: str, remedy: str) -> None:
        self.code, self.text, self.remedy = code, text, remedy
        super().__init__(text)


def refuse(code: str, text: str, remedy: str, *, line: int = 0, place: str = "") -> SieError:
    return SieError([Problem(code=code, line=line, place=place, text=text, remedy=remedy)])
