"""`manage.py client add`."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.audit.actions import note
from apps.clients.identifiers import same_number
from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.organisations.models import Organisation

WRONG_USE = 2


class Command(BaseCommand):
    help = "Adds a client, and its organisation when that is new. The same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="add")
        add = what.add_parser("add")
        add.add_argument("--organisation", required=True, metavar="SLUG")
        add.add_argument("--number", required=True, metavar="NR", help="the client's number in the bureau")
        add.add_argument("--name", required=True)
        add.add_argument("--country", required=True, metavar="CC", help="two letters, such as NO")
        add.add_argument("--orgnr", default="", metavar="N", help="the company's organisation number")
        add.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        try:
            with system_scope("the operator's command"), transaction.atomic():
                client, made = add_client(
                    slug=options["organisation"].strip(),
                    number=options["number"].strip(),
                    name=options["name"].strip(),
                    country=options["country"].strip().upper(),
                    organisation_number=options["orgnr"].strip(),
                )
        except ValidationError as error:
            raise CommandError(_told(error), returncode=WRONG_USE) from error
        told = {
            "organisation": client.organisation.slug,
            "number": client.number,
            "name": client.name,
            "country": client.country,
            "organisation_number": client.organisation_number or None,
            "created": made,
        }
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
        else:
            done = "added" if made else "was there already, with the same data"
            self.stdout.write(f"{client.organisation.slug}/{client.number} {client}: {done}")


def add_client(*, slug: str, number: str, name: str, country: str, organisation_number: str) -> tuple[Client, bool]:
    """The client, and whether it is new. Raises ValidationError, also where it is there with other data."""
    client = Client(number=number, name=name, country=country, organisation_number=organisation_number)
    client.clean()
    if "/" in number:
        raise ValidationError("A client number has no slash.")
    organisation = Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        organisation = Organisation(slug=slug, name=slug.replace("-", " ").title()[:120], country=country)
        organisation.full_clean()
        organisation.save()
    client.organisation = organisation
    held = Client.objects.filter(organisation=organisation, number=number).first()
    if held is not None:
        if _same(held, client):
            return held, False
        raise ValidationError(
            f"Client {slug}/{number} is there already with other data: "
            f"{held.name}, {held.country}, {held.organisation_number or 'no organisation number'}."
        )
    client.full_clean()
    client.save()
    note(organisation_id=organisation.pk, actor=None, action="client.added", subject=client)
    return client, True


def _told(error: ValidationError) -> str:
    """Each message with the option it is about, where it is about one."""
    if not hasattr(error, "error_dict"):
        return "; ".join(error.messages)
    options = {"organisation_number": "--orgnr", "slug": "--organisation", "__all__": ""}
    return "; ".join(
        f"{options.get(field, f'--{field}')} {message}".strip()
        for field, messages in error.message_dict.items()
        for message in messages
    )


def _same(held: Client, asked: Client) -> bool:
    numbers = (held.organisation_number, asked.organisation_number)
    same = numbers == ("", "") or same_number(held.country, *numbers)
    return same and (held.name, held.country) == (asked.name, asked.country)
