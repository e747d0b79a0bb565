"""Clients from a file: what each line means is found out first, whole and without writing anything.

An organisation number is a key to books: a file may bring a new client's, and never changes one that is there.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from django.core.exceptions import ValidationError
from django.db.models import Q

from apps.clients import remedies
from apps.clients.enums import Verdict
from apps.clients.identifiers import clean_organisation_number, example_of
from apps.clients.models import Client
from apps.clients.remedies import Fault
from apps.core.admin import colleagues
from apps.core.scope import system_scope
from apps.formats.tables import Row, Table, TableError, read_table
from apps.organisations.models import Organisation, User, check_time_zone

# Column -> what it may be called, compared without case, blanks and signs: English, Norwegian, Swedish, Finnish.
COLUMNS: dict[str, tuple[str, ...]] = {
    "number": (
        "number", "no", "client number", "client no", "customer number", "customer no",
        "nummer", "nr", "klientnummer", "klientnr", "kundenummer", "kundenr", "kundnummer", "kundnr",
        "numero", "nro", "asiakasnumero", "asiakasnro",
    ),
    "name": (
        "name", "company", "company name", "client", "client name", "customer", "customer name",
        "navn", "firma", "firmanavn", "foretak", "selskap", "klient", "klientnavn", "kunde", "kundenavn",
        "namn", "företag", "företagsnamn", "kund", "kundnamn",
        "nimi", "yritys", "yrityksen nimi", "asiakas", "asiakkaan nimi", "toiminimi",
    ),
    "country": ("country", "country code", "land", "landkode", "landskod", "maa", "maakoodi", "maatunnus"),
    "organisation_number": (
        "organisation number", "organization number", "organisation no", "organization no", "org number", "org no",
        "company number", "registration number", "business id",
        "organisasjonsnummer", "organisasjonsnr", "orgnummer", "orgnr", "foretaksnummer",
        "organisationsnummer", "organisationsnr", "y-tunnus", "cvr", "cvr nummer",
    ),
    "time_zone": ("time zone", "tidssone", "tidszon", "aikavyöhyke"),
    "responsible": (
        "responsible", "responsible accountant", "accountant", "ansvarlig", "ansvarlig regnskapsfører", "regnskapsfører",
        "ansvarig", "redovisningsansvarig", "redovisningskonsult", "vastuuhenkilö", "kirjanpitäjä",
    ),
}  # fmt: skip
LENGTHS = {"number": 20, "name": 160}


def _bare(text: str) -> str:
    return re.sub(r"[^\w]|_", "", text.casefold())


_KNOWN = {_bare(word): column for column, words in COLUMNS.items() for word in (column, *words)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A client as somebody asks for it; empty texts are left as they are. `responsible` is an e-mail address."""

    line: int = 0
    number: str = ""
    name: str = ""
    country: str = ""
    organisation_number: str = ""
    time_zone: str = ""
    responsible: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """`changes`: field -> [before, after]. `responsible_id` is the person that `wanted.responsible` names."""

    wanted: Wanted
    verdict: Verdict
    client: Client | None = None
    changes: dict[str, list[str]] = field(default_factory=dict)
    responsible_id: int | None = None
    fault: Fault | None = None


class RefusedError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def wanted_of(data: bytes) -> list[Wanted | Judged]:
    """What the lines of a file ask for; a line that cannot be read comes as its refusal. Raises RefusedError."""
    try:
        table = read_table(data, is_header=lambda cell: _bare(cell) in _KNOWN)
    except TableError as error:
        raise RefusedError(remedies.of_table(error.code, error.facts)) from error
    columns = _columns(table)
    width = max(len(table.header), 1)
    return [_wanted(row, columns, width) for row in table.rows]


def _columns(table: Table) -> dict[str, int]:
    """Where each column stands. Raises RefusedError for one that stands twice, and where none tells the company."""
    if not table.header:
        return {"organisation_number": 0}
    found: dict[str, int] = {}
    for place, cell in enumerate(table.header):
        column = _KNOWN.get(_bare(cell))
        if column in found:
            raise RefusedError(remedies.column_twice(table.header[found[column]], cell))
        if column is not None:
            found[column] = place
    if not {"organisation_number", "number"} & found.keys():
        raise RefusedError(remedies.column_missing(table.header))
    return found


def _wanted(row: Row, columns: dict[str, int], width: int) -> Wanted | Judged:
    cells = {name: row.cells[place] if place < len(row.cells) else "" for name, place in columns.items()}
    asked = Wanted(line=row.line, **{**cells, "country": cells.get("country", "").upper()})
    return _refused(asked, remedies.too_many_cells()) if any(row.cells[width:]) else asked


class Register:
    """The bureau's clients and people, as lines are compared with them: three questions, however many lines.

    Clients that the scope hides are known by number and company only: no line may touch them, or tell their names.
    """

    def __init__(self, organisation: Organisation, *, only: Wanted | None = None) -> None:
        self.country = organisation.country
        asked = Q(organisation=organisation)
        if only is not None:
            same_company = Q(organisation_number=only.organisation_number) & ~Q(organisation_number="")
            asked &= Q(number=only.number) | same_company
        clients = list(Client.objects.filter(asked).select_related("responsible"))
        with system_scope("numbers and companies are taken by clients that the reader does not see, too"):
            taken = list(Client.objects.filter(asked).values_list("pk", "number", "organisation_number"))
        self.by_number: dict[str, Client] = {}
        self.by_company: dict[str, Client] = {}  # whatever the country: the bureau has a number once
        for client in clients:
            self.by_number[client.number] = client
            if client.organisation_number:
                self.by_company[client.organisation_number] = client
        seen = {client.pk for client in clients}
        unseen = [row for row in taken if row[0] not in seen]
        self.unseen_numbers = {number for _pk, number, _company in unseen}
        self.unseen_companies = {company for _pk, _number, company in unseen if company}
        self.people = {str(user.email).lower(): user for user in _people(organisation)}

    def country_of(self, asked: Wanted) -> str:
        """Where a line names no country: its client's, else the bureau's."""
        held = self.by_number.get(asked.number)
        return asked.country or (held.country if held else self.country)


def _people(organisation: Organisation) -> Iterable[User]:
    return colleagues(User).filter(membership__organisation=organisation, is_active=True)


def judge_all(organisation: Organisation, lines: Iterable[Wanted | Judged], *, nameless: bool) -> list[Judged]:
    """What every line means, doubles within the file found. `nameless`: the other system will tell the name."""
    register = Register(organisation)
    seen: dict[tuple[str, str], int] = {}
    judged = []
    for line in lines:
        one = line if isinstance(line, Judged) else judge(register, line, nameless=nameless)
        judged.append(_once(one, seen))
    return judged


def _once(one: Judged, seen: dict[tuple[str, str], int]) -> Judged:
    if one.verdict is Verdict.REFUSED:
        return one
    asked = one.wanted
    company = ("company", asked.organisation_number) if asked.organisation_number else None
    number = ("number", asked.number) if asked.number else None
    for key, column in ((company, "organisation_number"), (number, "number")):
        if key is not None and key in seen:
            return _refused(asked, remedies.double(column, key[-1], seen[key]))
    seen |= {key: asked.line for key in (company, number) if key is not None}
    return one


def judge(register: Register, asked: Wanted, *, nameless: bool) -> Judged:
    """What one line means; writes nothing."""
    try:
        asked = _cleaned(asked, register.country_of(asked))
        client = _client(register, asked)
        person = _person(register, asked)
    except RefusedError as refused:
        return _refused(asked, refused.fault)
    if client is None:
        if not asked.name and not nameless:
            return _refused(asked, remedies.missing("name"))
        return Judged(wanted=asked, verdict=Verdict.NEW, responsible_id=person.pk if person else None)
    changes = _changes(client, asked)
    return Judged(
        wanted=asked,
        verdict=Verdict.CHANGES if changes else Verdict.SAME,
        client=client,
        changes=changes,
        responsible_id=person.pk if person else None,
    )


def _cleaned(asked: Wanted, country: str) -> Wanted:
    if not re.fullmatch(r"[A-Z]{2}", country):
        raise RefusedError(remedies.bad_country(country))
    for name, most in LENGTHS.items():
        if len(getattr(asked, name)) > most:
            raise RefusedError(remedies.too_long(name, most))
    if "/" in asked.number:
        raise RefusedError(remedies.slash(asked.number))
    if asked.time_zone:
        try:
            check_time_zone(asked.time_zone)
        except ValidationError as error:
            raise RefusedError(remedies.bad_time_zone(asked.time_zone)) from error
    if not asked.organisation_number and not asked.number:
        raise RefusedError(remedies.missing("organisation_number"))
    return replace(asked, country=country, organisation_number=_short(country, asked.organisation_number))


def _short(country: str, number: str) -> str:
    if not number:
        return ""
    try:
        return clean_organisation_number(country, number)
    except ValidationError as error:
        if re.fullmatch(r"\d([.,]\d+)?E\+?\d+", number, re.IGNORECASE):
            raise RefusedError(remedies.rounded(number)) from error
        raise RefusedError(remedies.bad_number(number, country, example_of(country))) from error


def _client(register: Register, asked: Wanted) -> Client | None:
    """The client that a line speaks of. Raises RefusedError where number and company do not belong together."""
    if asked.number in register.unseen_numbers:
        raise RefusedError(remedies.unseen("number", asked.number))
    if asked.organisation_number in register.unseen_companies:
        raise RefusedError(remedies.unseen("organisation_number", asked.organisation_number))
    company = register.by_company.get(asked.organisation_number)
    held = register.by_number.get(asked.number) if asked.number else None
    if held is not None and asked.organisation_number and held != company:
        raise RefusedError(
            remedies.other_company(held.number, held.name, held.organisation_number, asked.organisation_number)
        )
    if company is not None and asked.number and company.number != asked.number:
        raise RefusedError(remedies.other_number(asked.organisation_number, company.number, company.name, asked.number))
    found = company or held
    if found is not None and found.country != asked.country:
        raise RefusedError(remedies.other_country(found.number, found.country, asked.country))
    return found


def _person(register: Register, asked: Wanted) -> User | None:
    if not asked.responsible:
        return None
    person = register.people.get(asked.responsible.lower())
    if person is None:
        raise RefusedError(remedies.unknown_person(asked.responsible))
    return person


def _changes(client: Client, asked: Wanted) -> dict[str, list[str]]:
    before = {
        "name": client.name,
        "time_zone": client.time_zone,
        "responsible": str(client.responsible.email).lower() if client.responsible else "",
    }
    after = {"name": asked.name, "time_zone": asked.time_zone, "responsible": asked.responsible.lower()}
    return {name: [before[name], text] for name, text in after.items() if text and text != before[name].strip()}


def _refused(asked: Wanted, fault: Fault) -> Judged:
    return Judged(wanted=asked, verdict=Verdict.REFUSED, fault=fault)


def export_rows(clients: Iterable[Client]) -> Iterable[Sequence[str]]:
    """The columns of an import, so that the file can be taken in again."""
    yield tuple(COLUMNS)
    for client in clients:
        person = client.responsible.email if client.responsible else ""
        yield (client.number, client.name, client.country, client.organisation_number, client.time_zone, person)
