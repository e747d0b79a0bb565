"""What the lines of a clients' file mean, before anything is written."""

from typing import Any

import pytest

from apps.clients.enums import Verdict
from apps.clients.imports import Judged, RefusedError, export_rows, judge_all, wanted_of
from apps.clients.models import Client
from apps.core.scope import system_scope
from apps.formats.tables import write_table
from tests.factories import ClientFactory, MembershipFactory, OrganisationFactory, UserFactory

NORDLYS, HAVBRIS, FREE = "987463104", "974760673", "923609016"


@pytest.fixture
def bureau(db: None) -> Any:
    organisation = OrganisationFactory()
    person = UserFactory(email="kari@bureau.example")
    MembershipFactory(user=person, organisation=organisation)
    ClientFactory(
        organisation=organisation, number="1001", name="Nordlys AS", organisation_number=NORDLYS, responsible=person
    )
    ClientFactory(organisation=organisation, number="1002", name="Havbris AS", organisation_number=HAVBRIS)
    ClientFactory(organisation=organisation, number="1003", name="Uten Nummer")
    ClientFactory(
        organisation=organisation, number="2001", name="Mälaren AB", country="SE", organisation_number="5560360793"
    )
    with system_scope("tests"):
        yield organisation


def judged(organisation: Any, text: str, *, nameless: bool = False) -> list[Judged]:
    return judge_all(organisation, wanted_of(text.encode()), nameless=nameless)


def told(organisation: Any, text: str, **more: Any) -> list[tuple[int, str, str, str]]:
    """(line, verdict, code, column) of every line."""
    return [
        (one.wanted.line, one.verdict.value, one.fault.code if one.fault else "", one.fault.column if one.fault else "")
        for one in judged(organisation, text, **more)
    ]


@pytest.mark.parametrize(
    "header",
    [
        "number;name;country;organisation_number;time_zone;responsible",
        "Client number;Company name;Country code;Organization No.;Time zone;Responsible accountant",
        "Kundenr.;Firmanavn;Land;Organisasjonsnummer;Tidssone;Regnskapsfører",
        "Kundnummer;Företagsnamn;Landskod;Organisationsnummer;Tidszon;Redovisningsansvarig",
        "Asiakasnumero;Yrityksen nimi;Maa;Y-tunnus;Aikavyöhyke;Vastuuhenkilö",
    ],
)
def test_columns_are_known_by_their_names_in_four_languages(bureau: Any, header: str) -> None:
    (one,) = judged(bureau, f"{header}\n1009;Ny AS;no;{FREE};Europe/Oslo;Kari@bureau.example\n")

    assert (one.verdict, one.fault) == (Verdict.NEW, None)
    asked = one.wanted
    assert (asked.number, asked.name, asked.country, asked.organisation_number) == ("1009", "Ny AS", "NO", FREE)
    assert (asked.time_zone, asked.responsible) == ("Europe/Oslo", "Kari@bureau.example")


def test_every_line_tells_what_is_wrong_with_it_and_where(bureau: Any) -> None:
    text = f"""nr;navn;land;orgnr;tidssone;ansvarlig
1010;Ny AS;;923 609 016;;
1011;Feil siffer AS;;923609017;;
1012;Avrundet AS;;9,87E+08;;
1013;Land AS;Norge;985952442;;
1014;Sone AS;;985952442;Oslo;
1015;Person AS;;985952442;;nobody@bureau.example
10/16;Skråstrek AS;;985952442;;
;Uten nummer;;;;
1017;;;985952442;;
1010;Samme nummer AS;;985952442;;
1018;Samme selskap AS;;{FREE};;
1019;For bred AS;;985952442;;;;mer
1002;Havbris AS;;985952442;;
1003;Uten Nummer;;985952442;;
1005;Nordlys AS;;{NORDLYS};;
1001;Nordlys AS;SE;;;
1001;Nordlys AS;;NO {NORDLYS} MVA;;kari@bureau.example
"""
    assert told(bureau, text) == [
        (2, "new", "", ""),
        (3, "refused", "line.organisation_number", "organisation_number"),
        (4, "refused", "line.rounded", "organisation_number"),
        (5, "refused", "line.country", "country"),
        (6, "refused", "line.time_zone", "time_zone"),
        (7, "refused", "line.person", "responsible"),
        (8, "refused", "line.slash", "number"),
        (9, "refused", "line.missing", "organisation_number"),
        (10, "refused", "line.missing", "name"),
        (11, "refused", "line.double", "number"),
        (12, "refused", "line.double", "organisation_number"),
        (13, "refused", "line.cells", ""),
        (14, "refused", "line.other_company", "organisation_number"),
        (15, "refused", "line.other_company", "organisation_number"),
        (16, "refused", "line.other_number", "number"),
        (17, "refused", "line.other_country", "country"),
        (18, "same", "", ""),
    ]


def test_a_changed_organisation_number_is_flagged_with_both_numbers(bureau: Any) -> None:
    (one,) = judged(bureau, f"nr;navn;orgnr\n1001;Nordlys AS;{FREE}\n")

    assert one.fault is not None
    assert dict(one.fault.facts) == {"number": "1001", "name": "Nordlys AS", "held": NORDLYS, "asked": FREE}


def test_what_a_file_may_change_is_shown_with_before_and_after(bureau: Any) -> None:
    text = f"nr;navn;orgnr;tidssone;ansvarlig\n1002;Havbris Drift AS;{HAVBRIS};Europe/Berlin;kari@bureau.example\n"

    (one,) = judged(bureau, text)

    assert one.verdict is Verdict.CHANGES
    assert one.changes == {
        "name": ["Havbris AS", "Havbris Drift AS"],
        "time_zone": ["", "Europe/Berlin"],
        "responsible": ["", "kari@bureau.example"],
    }


def test_a_client_is_known_by_its_number_in_its_own_country(bureau: Any) -> None:
    assert told(bureau, "nr;orgnr\n2001;556036-0793\n2001;\n") == [
        (2, "same", "", ""),
        (3, "refused", "line.double", "number"),
    ]


def test_a_number_is_one_company_in_whatever_country(bureau: Any) -> None:
    text = f"nr;orgnr;navn;land\n;{NORDLYS};Ny;GB\n1001;{NORDLYS};Ny;GB\n;{FREE};A;\n;{FREE};A;GB\n"

    assert told(bureau, text) == [
        (2, "refused", "line.other_country", "country"),
        (3, "refused", "line.other_country", "country"),
        (4, "new", "", ""),
        (5, "refused", "line.double", "organisation_number"),
    ]


def test_numbers_alone_need_a_connector_that_tells_the_names(bureau: Any) -> None:
    assert told(bureau, f"{FREE}\n{NORDLYS}\n") == [(1, "refused", "line.missing", "name"), (2, "same", "", "")]
    assert told(bureau, f"{FREE}\n{NORDLYS}\n", nameless=True) == [(1, "new", "", ""), (2, "same", "", "")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("navn;land\nA;NO\n", "file.column_missing"),
        ("orgnr;organisasjonsnummer\n1;2\n", "file.column_twice"),
        ("", "file.empty"),
        ('orgnr;navn\n"1;A\n', "file.quotes"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(bureau: Any, text: str, code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        judged(bureau, text)

    assert refused.value.fault.code == code


def test_another_bureaus_clients_are_not_known(bureau: Any) -> None:
    other = OrganisationFactory()

    assert told(other, f"nr;navn;orgnr\n1009;Nordlys AS;{NORDLYS}\n") == [(2, "new", "", "")]


@pytest.mark.parametrize("spreadsheet", [True, False])
def test_the_export_taken_in_again_changes_nothing(bureau: Any, *, spreadsheet: bool) -> None:
    for index, name in enumerate(["=1+1 AS", "+47 AS", '"Anførsel" AS', "'=apostrof", "Linje;skift, AS"]):
        ClientFactory(organisation=bureau, number=f"-{index}", name=name)
    clients = list(Client.objects.filter(organisation=bureau).select_related("responsible"))

    data = write_table(export_rows(clients), spreadsheet=spreadsheet)

    lines = judge_all(bureau, wanted_of(data), nameless=False)
    assert [(one.verdict, one.fault) for one in lines] == [(Verdict.SAME, None)] * 9


def test_a_register_of_thousands_is_compared_with_three_questions(bureau: Any, django_assert_num_queries: Any) -> None:
    lines = "".join(f"{number};Firma {number}\n" for number in range(5000, 8000))

    with django_assert_num_queries(3):
        assert len(judged(bureau, f"nr;navn\n{lines}")) == 3000
