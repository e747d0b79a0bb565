"""Answers as XML, for those who ask for it: the vendor answers both (README, Conventions; docs__voucherfileconnections_list).

A list's rows stand in `...Subset`, what JSON names with `@` are attributes. Nested lists are of single elements.
"""

import json
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from apps.connectors.sdk.sandbox import Answer

XML_TYPE = "application/xml"
META = "MetaInformation"


def wanted(accept: str) -> bool:
    return "xml" in accept.lower() and "json" not in accept.lower()


def rendered(answer: Answer) -> Answer:
    """The same answer as XML; one that is no JSON object (a file, a spoilt page) stays as it is."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        return answer
    found = {name: value for name, value in told.items() if name != META} if isinstance(told, dict) else {}
    if len(found) != 1 or not isinstance(next(iter(found.values())), dict | list):
        return answer
    ((name, value),) = found.items()
    root = Element(name)
    _fill(root, {**told.get(META, {}), **(value if isinstance(value, dict) else {})})
    for row in value if isinstance(value, list) else ():
        _fill(SubElement(root, f"{_one_of(name)}Subset"), row)
    answer.headers["Content-Type"] = XML_TYPE
    answer.body = tostring(root, encoding="UTF-8", xml_declaration=True)
    return answer


def _fill(element: Element, row: dict[str, Any]) -> None:
    for name, value in row.items():
        if name.startswith("@"):
            element.set(name[1:], _text(value))
        elif isinstance(value, dict):
            _fill(SubElement(element, name), value)
        elif isinstance(value, list):
            inner = SubElement(element, name)
            for item in value:
                _fill(SubElement(inner, _one_of(name)), item)
        else:
            SubElement(element, name).text = _text(value)


def _one_of(name: str) -> str:
    """What one of many is called: Vouchers -> Voucher, Currencies -> Currency."""
    if name.endswith("Collection"):
        return name.removesuffix("Collection")
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
