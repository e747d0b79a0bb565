"""Stories: a bureau, its clients, their companies at the vendors, and what happens between two nights.

A story is a TOML file under `stories/`; it may name providers, this module does not.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.connectors.sdk.sandbox import Books, Edit
from apps.sandbox.books import BooksSpec, make_books
from apps.sandbox.books.edits import KINDS, Editor, Wish, moved

STORIES = Path(__file__).parent / "stories"
COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationStory:
    slug: str
    name: str
    country: str
    time_zone: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStory:
    """A connector and its field values. `key`: the story's name for a shared one, empty for a client's own.

    `auth`: the name of the way to sign in, empty for the provider's first.
    """

    key: str
    provider: str
    label: str
    values: Mapping[str, str]
    auth: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStory:
    """A client as the bureau knows it. `connector` is the client's own, or the organisation's shared one.

    `expect`: "complete", or the code of the problem that the nights must show.
    """

    number: str
    name: str
    country: str
    organisation_number: str
    connector: ConnectorStory
    company: str
    expect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyStory:
    """A company at a vendor: its books on the first night, and how it can be reached."""

    provider: str
    books: Books
    access: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`operator`: provider -> field -> value. `edits`: (company, edit) in order, between the first and second night.

    `moved`: what the second night must count, over the clients that are complete.
    """

    today: date
    organisation: OrganisationStory
    operator: Mapping[str, Mapping[str, str]]
    connectors: tuple[ConnectorStory, ...]
    clients: tuple[ClientStory, ...]
    companies: tuple[CompanyStory, ...]
    edits: tuple[tuple[str, Edit], ...]
    moved: Mapping[str, int] = field(default_factory=dict)


def story_files() -> list[tuple[Path, str]]:
    """The stories in their `order`, each with the time zone of its bureau: `today` is that of the people there."""
    found = []
    for path in STORIES.glob("*.toml"):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append((data["order"], path, data["organisation"]["time_zone"]))
    return [(path, zone) for _order, path, zone in sorted(found)]


def story_slugs() -> list[str]:
    """The organisations of all stories."""
    return [tomllib.loads(path.read_text(encoding="utf-8"))["organisation"]["slug"] for path, _zone in story_files()]


def load_story(path: Path, today: date, vouchers: int | None = None) -> Story:
    """The story as it stands on `today`. `vouchers`: about so many per company in two years, instead of the file's.

    Raises ValueError or KeyError naming what does not fit.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    shared = {key: _connector(key, table) for key, table in data.get("connectors", {}).items()}
    rows = data["clients"]
    clients = tuple(_client(row, data["organisation"]["country"], shared) for row in rows)
    companies = tuple(
        CompanyStory(
            provider=client.connector.provider,
            books=make_books(_spec(row, vouchers, data["organisation"]["country"]), today),
            access=row.get("access") or data["connectors"][client.connector.key]["access"],
        )
        for row, client in zip(rows, clients, strict=True)
    )
    edits = _edits(data.get("edits", []), companies, today)
    return Story(
        today=today,
        organisation=OrganisationStory(**data["organisation"]),
        operator=data.get("operator", {}),
        connectors=tuple(shared.values()),
        clients=clients,
        companies=companies,
        edits=edits,
        moved=_moved(clients, companies, edits, today),
    )


def _connector(key: str, table: Mapping[str, Any]) -> ConnectorStory:
    return ConnectorStory(
        key=key,
        provider=table["provider"],
        label=table["label"],
        values=dict(table["values"]),
        auth=table.get("auth", ""),
    )


def _client(row: Mapping[str, Any], country: str, shared: Mapping[str, ConnectorStory]) -> ClientStory:
    own = row["connector"]
    return ClientStory(
        number=row["number"],
        name=row["name"],
        country=row.get("country", country),
        organisation_number=row["organisation_number"],
        connector=shared[own] if isinstance(own, str) else _connector("", own),
        company=row["number"],
        expect=row.get("expect", COMPLETE),
    )


def _spec(row: Mapping[str, Any], vouchers: int | None, country: str) -> BooksSpec:
    """The company at the vendor: the client itself, but for what its `company` table says otherwise."""
    at_vendor = row.get("company", {})
    month, day = (int(part) for part in row.get("year_start", "01-01").split("-"))
    return BooksSpec(
        company=row["number"],
        name=at_vendor.get("name", row["name"]),
        organisation_number=at_vendor.get("organisation_number", row["organisation_number"]),
        industry=row["industry"],
        seed=row["seed"],
        size=row.get("size", 100),
        vouchers=vouchers or row.get("vouchers", 500),
        year_start=(month, day),
        year_end_late=row.get("year_end_late", False),
        lock=row.get("lock", True),
        country=row.get("country", country),
    )


def _edits(
    rows: list[dict[str, Any]], companies: tuple[CompanyStory, ...], today: date
) -> tuple[tuple[str, Edit], ...]:
    editors = {company.books.company: Editor(company.books, today) for company in companies}
    made = []
    for row in rows:
        number = row.pop("client")
        made.append((number, editors[number].edit(Wish(**row))))
    return tuple(made)


def _moved(
    clients: tuple[ClientStory, ...],
    companies: tuple[CompanyStory, ...],
    edits: tuple[tuple[str, Edit], ...],
    today: date,
) -> dict[str, int]:
    counts = dict.fromkeys(KINDS, 0)
    for client, company in zip(clients, companies, strict=True):
        if client.expect == COMPLETE:
            own = [edit for key, edit in edits if key == client.company]
            for kind, count in moved(company.books, own, today).items():
                counts[kind] += count
    return counts
