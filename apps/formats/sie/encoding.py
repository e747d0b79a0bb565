"""Which characters the bytes of a SIE file stand for.

`#FORMAT PC8` (code page 437) is the only encoding of the standard and is also written over files that are UTF-8 or
ISO-8859-1 (vendors/ledger_files/README.md), so the bytes decide and the label does not.
"""

import re
from dataclasses import dataclass

from apps.formats.sie.faults import SieError, SieWarning, refuse

ALIASES = {
    "cp437": "cp437", "pc8": "cp437", "ibm437": "cp437", "437": "cp437",
    "utf-8": "utf-8", "utf8": "utf-8",
    "iso-8859-1": "iso-8859-1", "latin-1": "iso-8859-1", "latin1": "iso-8859-1",
    "cp1252": "cp1252", "windows-1252": "cp1252",
}  # fmt: skip
EXPORT_AGAIN = "Export the file again as SIE 4 from the accounting program."

# Next to a letter, 0x80-0x9A are letters in code page 437 and controls or punctuation in ISO-8859-1; from 0xC0 on it
# is the other way round (box drawing, Greek), but for 0xE1 (sharp s) and the two operators 0xD7 and 0xF7.
LETTERS_437 = re.compile(rb"[A-Za-z][\x80-\x9a]|[\x80-\x9a][A-Za-z]")
LETTERS_LATIN = re.compile(
    rb"[A-Za-z][\xc0-\xd6\xd8-\xe0\xe2-\xf6\xf8-\xff]|[\xc0-\xd6\xd8-\xe0\xe2-\xf6\xf8-\xff][A-Za-z]"
)
CONTROLS_LATIN = re.compile(rb"[\x80-\x9f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    text: str
    encoding: str
    warnings: tuple[SieWarning, ...] = ()


def decode(data: bytes, encoding: str | None = None) -> Decoded:
    """Text of the file; `encoding` overrides the decision. Raises SieError for what cannot be a text file."""
    data = data.rstrip(b"\x1a \t\r\n\x00") if data[-1:] in (b"\x1a", b"\x00") else data
    _refuse_other_kinds(data)
    if encoding is not None:
        return _decode_as(data, encoding)
    if data.isascii():
        return Decoded(data.decode("ascii"), "cp437")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _decode_eight_bit(data)
    note = SieWarning(0, "Read as UTF-8, although the standard is PC8; choose encoding cp437 if texts look wrong.")
    return Decoded(text, "utf-8", (note,))


def _decode_eight_bit(data: bytes) -> Decoded:
    latin, pc8 = len(LETTERS_LATIN.findall(data)), len(LETTERS_437.findall(data))
    if latin == 0:
        return Decoded(data.decode("cp437"), "cp437")
    if pc8 == 0:
        chosen = "cp1252" if CONTROLS_LATIN.search(data) else "iso-8859-1"
        note = SieWarning(
            0, f"Read as {chosen}, although the standard is PC8; choose encoding cp437 if texts look wrong."
        )
        return Decoded(data.decode(chosen, errors="replace"), chosen, (note,))
    note = SieWarning(
        0, "Texts seem to mix encodings; read as cp437. Choose encoding iso-8859-1 or utf-8 if texts look wrong."
    )
    return Decoded(data.decode("cp437"), "cp437", (note,))


def _decode_as(data: bytes, encoding: str) -> Decoded:
    name = ALIASES.get(encoding.strip().lower())
    if name is None:
        known = ", ".join(sorted(set(ALIASES.values())))
        raise refuse("sie.encoding_unknown", f"The encoding {encoding!r} is not known.", f"Choose one of {known}.")
    try:
        return Decoded(data.decode("utf-8-sig" if name == "utf-8" else name), name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(
            "sie.encoding",
            f"The file is not {name}.",
            "Choose another encoding, or none to let the file decide.",
            line=line,
        ) from error


def _refuse_other_kinds(data: bytes) -> None:
    if not data.strip():
        raise refuse("sie.empty", "The file is empty.", EXPORT_AGAIN)
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        raise refuse("sie.xml", "The file is XML: SIE 5 or something else.", EXPORT_AGAIN)
    if head.startswith(b"PK\x03\x04"):
        raise refuse("sie.zip", "The file is a ZIP archive.", "Unpack it and send the .SE or .SI file.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse("sie.utf16", "The file is UTF-16.", "Save it as PC8 (code page 437) or UTF-8.")
    if (at := data.find(b"\x00")) >= 0:
        raise _binary(data.count(b"\n", 0, at) + 1)


def _binary(line: int) -> SieError:
    return refuse("sie.binary", "The file has NUL bytes: it is not a text file.", EXPORT_AGAIN, line=line)
