"""#KSUMMA: CRC-32 over what stands between the first and the second, without quotes, braces and separators.

The standard leaves open whether blanks inside a text count, and writers differ in that, in the label and in the last
inversion. Any of these readings that agrees is agreement: eight chances in four thousand million to be wrong.
"""

import re
import zlib
from itertools import product

from apps.formats.sie.faults import FieldFault
from apps.formats.sie.tokens import LABEL, read_fields

NOISE = re.compile(r'[{}"\x00-\x20]')
MASK = 0xFFFFFFFF


def checksum_agrees(lines: list[str], value: int, encoding: str) -> bool:
    for squeezed, labels in product((True, False), repeat=2):
        text = "".join(_content(line, squeezed=squeezed, label=labels) for line in lines)
        for name in dict.fromkeys((encoding, "cp437")):
            crc = zlib.crc32(text.encode(name, errors="replace"))
            if value & MASK in (crc, crc ^ MASK):
                return True
    return False


def _content(line: str, *, squeezed: bool, label: bool) -> str:
    found = LABEL.match(line)
    head = f"#{found[1]}" if found and label else ""
    rest = line[found.end() :] if found else line
    if squeezed:
        return head + NOISE.sub("", rest.replace('\\"', ""))
    try:
        fields = read_fields(line).values if found else []
    except FieldFault:
        return head + NOISE.sub("", rest)
    return head + "".join(field if isinstance(field, str) else "".join(field) for field in fields)
