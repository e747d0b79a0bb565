"""The form of answers: a field gone, renamed or retyped is named; new fields and fields that may be missing are not."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.connectors.models import PayloadShape
from apps.connectors.sdk.shapes import KNOWN_WELL, Shape, from_json, placed
from apps.connectors.sdk.xml import parse
from apps.connectors.shapes import accept_shapes, keep_shapes
from apps.core.scope import system_scope
from apps.notifications.models import Problem
from tests.factories import ConnectionFactory


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    with system_scope("tests"):
        yield


def shape(*answers: Any) -> Shape:
    made = Shape()
    for answer in answers:
        made.add(answer)
    return made


def rows(count: int, **fields: Any) -> dict[str, Any]:
    return {"values": [{"id": number, "date": "2026-01-01", **fields} for number in range(count)]}


def xml(*rows: str) -> Any:
    return parse(f"<Root><List>{''.join(rows)}</List></Root>".encode())


KNOWN = shape(*[rows(10, number=7, text="Husleie", customer={"id": 1, "name": "Kari"}) for _ in range(4)])


def told(new: Shape, known: Shape = KNOWN) -> list[tuple[str, str, str]]:
    return [(change.kind, change.field, change.now) for change in from_json(known.as_json()).changes(new)]


def test_the_same_again_and_new_fields_are_no_news() -> None:
    assert told(shape(rows(3, number=7, text="x", customer={"id": 1, "name": "y", "new": 1}, more=[1]))) == []
    assert told(shape({"values": []})) == []


def test_a_field_gone_renamed_or_retyped_is_named() -> None:
    assert told(shape(rows(3, number=7, customer={"id": 1, "name": "y"}))) == [("gone", "values[].text", "")]
    assert told(shape(rows(3, number=7, description="x", customer={"id": 1, "name": "y"}))) == [
        ("gone", "values[].text", "values[].description")
    ]
    assert told(shape(rows(3, number="7", text="x", customer={"id": 1, "name": "y"}))) == [
        ("retyped", "values[].number", "text")
    ]
    assert told(shape(rows(3, number=7, text="x", customer=17))) == [("retyped", "values[].customer", "number")]


def test_an_object_that_is_gone_is_named_once() -> None:
    assert told(shape(rows(3, number=7, text="x"))) == [("gone", "values[].customer", "")]


def test_what_may_be_missing_and_what_is_empty_is_no_news() -> None:
    known = shape(rows(30, number=7), rows(30), rows(30, number=None))
    assert told(shape(rows(5)), known) == []
    assert told(shape(rows(5, number=None)), known) == []
    assert told(shape(rows(2, number=7)), KNOWN) == [], "two objects are too few to say that a field is gone"


def test_a_few_objects_are_not_well_known() -> None:
    assert told(shape(rows(5)), shape(rows(KNOWN_WELL - 1, number=7))) == []
    assert told(shape(rows(5)), shape(rows(5, number=7), rows(5, number=7), rows(5, number=7), rows(5, number=7))) != []


def test_one_answer_is_enough_where_an_answer_is_one_object() -> None:
    known = shape(*[{"value": {"name": "Fjord AS", "number": "1"}}] * 3)
    assert told(shape({"value": {"name": "Fjord AS"}}), known) == [("gone", "value.number", "")]


def test_xml_is_watched_without_regard_to_case() -> None:
    known = shape(*[xml(*["<Row><Key>1</Key><Name a='b'>x</Name></Row>"] * 10)] * 3)
    assert told(shape(xml(*["<ROW><key>1</key><NAME a='c'>y</NAME></ROW>"] * 3)), known) == []
    assert told(shape(xml(*["<Row><Key>1</Key></Row>"] * 3)), known) == [("gone", "list.row.name", "")]
    changed = xml(*["<Row><Key><Id>1</Id></Key><Name a='b'>x</Name></Row>"] * 3)
    assert told(shape(changed), known) == [("retyped", "list.row.key", "object")]


def test_no_value_is_kept() -> None:
    assert "Kari" not in str(KNOWN.as_json())
    assert "Husleie" not in str(KNOWN.as_json())


def test_ids_in_an_address_are_one_place() -> None:
    assert placed("/ledger/voucher/123") == placed("/ledger/voucher/4567") == "/ledger/voucher/*"
    assert placed("https://vendor.example/v2/company/>withLoginAccess?x=1") == "/*/company/>withLoginAccess"


def test_a_change_is_a_problem_until_it_is_over_or_accepted(db: None) -> None:
    connection = ConnectionFactory()
    good, bad = rows(30, number=7), rows(5)
    for _night in range(2):
        keep_shapes(connection, {"/voucher": shape(good)})
    assert not Problem.objects.exists()

    for _night in range(2):
        keep_shapes(connection, {"/voucher": shape(bad)})

    problem = Problem.objects.get(resolved_at=None)
    assert (problem.code, problem.times, problem.facts["changes"]) == (
        "connector.shape_changed",
        2,
        "values[].number: –",
    )
    keep_shapes(connection, {"/voucher": shape(good)})
    assert not Problem.objects.filter(resolved_at=None).exists()
    assert PayloadShape.objects.get().changes == []

    keep_shapes(connection, {"/voucher": shape(bad)})
    assert accept_shapes(connection, actor=None) == 1
    assert not Problem.objects.filter(resolved_at=None).exists()
    keep_shapes(connection, {"/voucher": shape(bad)})
    keep_shapes(connection, {"/voucher": shape(bad)})
    assert not Problem.objects.filter(resolved_at=None).exists()


def test_a_field_that_was_missing_once_may_be_missing_also_after_very_many_objects() -> None:
    known = shape(rows(10), rows(10, number=7))
    for _night in range(50):
        known.take(shape(rows(10, number=7)))
    assert told(shape(rows(5)), known) == []
    assert told(shape({"values": [{"id": 1}] * 5}), known) == [("gone", "values[].date", "")]


def test_what_is_well_known_is_not_written_again(db: None, django_assert_num_queries: Any) -> None:
    connection = ConnectionFactory()
    for _night in range(120):
        keep_shapes(connection, {"/voucher": shape(rows(30))})
    with django_assert_num_queries(1):
        keep_shapes(connection, {"/voucher": shape(rows(30))})
