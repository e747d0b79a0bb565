"""What a file of clients is refused for, line by line: what is wrong, in which column, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop as _


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`{name}` in the texts is filled from the facts; `column` is one of the import's, empty for the whole line."""

    code: str
    title: str
    step: str
    column: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


_TABLES = {
    "empty": (
        _("The file is empty."),
        _("Choose the file again; it needs a line of column names and a line per client."),
    ),
    "too_large": (_("The file is larger than {most} MB."), _("Split it into several files.")),
    "too_many": (_("The file has more than {most} lines."), _("Split it into several files.")),
    "encoding": (
        _("Line {line} has characters that cannot be read."),
        _("Save the file as “CSV UTF-8” and choose it again."),
    ),
    "quotes": (
        _("Line {line} has a quotation mark that is not closed, or text after a closed one."),
        _("Open the file in a spreadsheet, look at that line, and save it as CSV again."),
    ),
    "no_header": (
        _("Line {line} names no column that is known."),
        _("The first line must name the columns, such as: number; name; country; organisation number."),
    ),
}


def of_table(code: str, facts: Mapping[str, str]) -> Fault:
    title, step = _TABLES[code]
    return Fault(code=f"file.{code}", title=title, step=step, facts=facts)


def column_twice(one: str, other: str) -> Fault:
    return Fault(
        code="file.column_twice",
        title=_("The columns “{one}” and “{other}” mean the same."),
        step=_("Take one of them out of the file."),
        facts={"one": one, "other": other},
    )


def column_missing(header: Sequence[str]) -> Fault:
    return Fault(
        code="file.column_missing",
        title=_("No column has the organisation number or the client number; found: {found}."),
        step=_("Name the column “organisation number”."),
        facts={"found": ", ".join(header)},
    )


def too_many_cells() -> Fault:
    return Fault(
        code="line.cells",
        title=_("The line has more cells than there are columns."),
        step=_("A text with a comma or semicolon needs quotation marks around it."),
    )


def missing(column: str) -> Fault:
    return Fault(
        code="line.missing",
        title=_("The cell is empty, and a new client needs it."),
        step=_("Fill it in and check the file again."),
        column=column,
    )


def too_long(column: str, most: int) -> Fault:
    return Fault(
        code="line.too_long",
        title=_("The text is longer than {most} characters."),
        step=_("Shorten it."),
        column=column,
        facts={"most": str(most)},
    )


def slash(value: str) -> Fault:
    return Fault(
        code="line.slash",
        title=_("“{value}”: a client number has no slash."),
        step=_("Use a hyphen instead."),
        column="number",
        facts={"value": value},
    )


def bad_country(value: str) -> Fault:
    return Fault(
        code="line.country",
        title=_("“{value}” is not a country."),
        step=_("Write two letters, such as NO, SE or FI."),
        column="country",
        facts={"value": value},
    )


def bad_time_zone(value: str) -> Fault:
    return Fault(
        code="line.time_zone",
        title=_("There is no time zone called “{value}”."),
        step=_("Write it as Europe/Oslo, or leave the cell empty for the bureau's."),
        column="time_zone",
        facts={"value": value},
    )


def unknown_person(value: str) -> Fault:
    return Fault(
        code="line.person",
        title=_("Nobody of the bureau has the e-mail address “{value}”."),
        step=_("Correct the address, or make the person a member of the bureau first."),
        column="responsible",
        facts={"value": value},
    )


def bad_number(value: str, country: str, example: str) -> Fault:
    return Fault(
        code="line.organisation_number",
        title=_("“{value}” is not an organisation number of {country}: its form or check digit is wrong."),
        step=_("Look it up in the company register. Example: {example}."),
        column="organisation_number",
        facts={"value": value, "country": country, "example": example},
    )


def rounded(value: str) -> Fault:
    return Fault(
        code="line.rounded",
        title=_("“{value}”: the spreadsheet has rounded the organisation number."),
        step=_("Format the column as text, enter the numbers again, and save the file."),
        column="organisation_number",
        facts={"value": value},
    )


def double(column: str, value: str, line: int) -> Fault:
    return Fault(
        code="line.double",
        title=_("“{value}” stands in line {line} already."),
        step=_("Take one of the two lines out."),
        column=column,
        facts={"value": value, "line": str(line)},
    )


def other_company(number: str, name: str, held: str, asked: str) -> Fault:
    return Fault(
        code="line.other_company",
        title=_("Client {number} ({name}) has organisation number {held}; the file says {asked}."),
        step=_("Nothing was changed: the number is the key to the client's books. Change it on the client's page."),
        column="organisation_number",
        facts={"number": number, "name": name, "held": held or "–", "asked": asked},
    )


def other_number(company: str, number: str, name: str, asked: str) -> Fault:
    return Fault(
        code="line.other_number",
        title=_("Organisation number {company} is client {number} ({name}); the file says client {asked}."),
        step=_("Correct the client number in the file, or change it on the client's page."),
        column="number",
        facts={"company": company, "number": number, "name": name, "asked": asked},
    )


def other_country(number: str, held: str, asked: str) -> Fault:
    return Fault(
        code="line.other_country",
        title=_("Client {number} is a company of {held}; the file says {asked}."),
        step=_("Correct the country in the file, or change it on the client's page."),
        column="country",
        facts={"number": number, "held": held, "asked": asked},
    )


def unseen(column: str, value: str) -> Fault:
    return Fault(
        code="line.unseen",
        title=_("The bureau has a client of {value} already, which is only for the people named for it."),
        step=_("Ask an owner of the bureau to be named for it, or take the line out."),
        column=column,
        facts={"value": value},
    )
