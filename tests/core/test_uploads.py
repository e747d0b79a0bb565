"""What is sent as a file: how large, what it is, what an archive may hide."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from apps.core.uploads import UploadRefusedError, file_of, plain_name

MB = 2**20
SIE = b'#FLAGGA 0\n#SIETYP 4\n#FNAMN "Fjord"\n'


def archive(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as made:
        for name, data in files:
            made.writestr(name, data)
    return packed.getvalue()


def refused(data: bytes, *, largest: int = MB) -> str:
    with pytest.raises(UploadRefusedError) as caught:
        file_of("ledger.se", data, largest=largest)
    assert str(caught.value)
    return caught.value.code


def test_a_file_is_itself_and_an_archive_with_one_file_is_that_file() -> None:
    assert file_of("a.se", SIE, largest=MB) == ("a.se", SIE)
    packed = archive(("year/", b""), ("year/ledger.se", SIE), ("__MACOSX/._ledger.se", b"x"))
    assert file_of("a.zip", packed, largest=MB) == ("ledger.se", SIE)


@pytest.mark.parametrize(
    ("beginning", "code"),
    [
        (b"%PDF-1.7\n", "upload.kind"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "upload.kind"),
        (b"\x1f\x8b\x08", "upload.kind"), (b"BZh9", "upload.kind"), (b"7z\xbc\xaf\x27\x1c", "upload.kind"),
        (b"Rar!\x1a", "upload.kind"), (b"\x89PNG\r\n", "upload.kind"), (b"MZ\x90", "upload.kind"),
        (b"\x7fELF", "upload.kind"), (b"SQLite format 3\x00", "upload.kind"),
    ],
)  # fmt: skip
def test_what_it_is_decides_and_not_its_name(beginning: bytes, code: str) -> None:
    assert refused(beginning + SIE) == code
    assert refused(archive(("ledger.se", beginning + SIE))) == code


def test_a_file_that_is_too_large_is_refused() -> None:
    assert refused(b"#" * (MB + 1)) == "upload.too_large"
    assert file_of("a", b"#" * MB, largest=MB)[1]


def lying(size: int) -> Callable[[bytes], bytes]:
    """An archive that says its file has `size` bytes, in both places."""

    def change(packed: bytes) -> bytes:
        raw = bytearray(packed)
        raw[22:26] = size.to_bytes(4, "little")
        at = packed.index(b"PK\x01\x02")
        raw[at + 24 : at + 28] = size.to_bytes(4, "little")
        return bytes(raw)

    return change


@pytest.mark.parametrize("change", [bytes, lying(0), lying(100)], ids=["honest", "says nothing", "says little"])
def test_a_zip_bomb_is_refused_in_little_memory(change: Callable[[bytes], bytes]) -> None:
    bomb = change(archive(("ledger.se", b"\x20" * (200 * MB))))
    assert len(bomb) < MB
    tracemalloc.start()
    code = refused(bomb)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert code in {"upload.too_large", "upload.broken"}
    assert most < 8 * MB


ENTRY = struct.Struct("<4s6H3L5H2L")


def crowd(count: int, *, says: int | None = None, comment: bytes = b"", big: bool = False) -> bytes:
    """An archive that lists `count` entries, and says at its end that they are so many."""
    entry = ENTRY.pack(b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    lead, listed = b"PK\x03\x04" + bytes(26), entry * count
    said = min(count, 0xFFFF) if says is None else says
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, said, said, len(listed), len(lead), len(comment)) + comment
    at = len(lead) + len(listed)
    bigger = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(listed), len(lead))
    bigger += struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    if big:
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 47, 0, len(comment)) + comment
    return lead + listed + (bigger if big else b"") + end


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (crowd(200_000), "upload.many"), (crowd(200_000, says=1), "upload.many"),
        (crowd(200_000, comment=b"PK\x05\x06" + b"x" * 9000), "upload.many"),
        (crowd(200_000, comment=b"x" * 65535), "upload.many"), (crowd(200_000, big=True), "upload.broken"),
    ],
    ids=["honest", "says one", "a second end", "comment", "zip64"],
)  # fmt: skip
def test_an_archive_that_lists_very_many_files_is_refused_in_little_memory(made: bytes, code: str) -> None:
    tracemalloc.start()
    told = refused(made, largest=32 * MB)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert told == code
    assert most < 4 * MB


def test_an_archive_may_carry_a_comment() -> None:
    packed = io.BytesIO(archive(("a.se", SIE)))
    with zipfile.ZipFile(packed, "a") as made:
        made.comment = b"from the accounting program"
    assert file_of("a.zip", packed.getvalue(), largest=MB) == ("a.se", SIE)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2], ids=["lzma", "bzip2"])
@pytest.mark.parametrize("damaged", [False, True])
def test_an_archive_packed_in_another_way_is_refused(*, method: int, damaged: bool) -> None:
    packed = bytearray(archive(("a.se", SIE * 50), method=method))
    if damaged:
        packed[42:50] = b"\xff" * 8
    assert refused(bytes(packed)) == "upload.method"


def test_archives_in_archives_many_files_passwords_and_damage() -> None:
    assert refused(archive(("inner.zip", archive(("ledger.se", SIE))))) == "upload.nested"
    assert refused(archive(("a.se", SIE), ("b.se", SIE))) == "upload.many"
    assert refused(archive()) in {"upload.many", "upload.broken"}
    assert refused(archive(*((f"{n}.se", b"") for n in range(1001)))) == "upload.many"
    locked = bytearray(archive(("a.se", SIE)))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(locked)) == "upload.encrypted"
    whole = archive(("a.se", SIE * 50), method=zipfile.ZIP_STORED)
    assert refused(whole[:-30]) == "upload.broken"
    assert refused(whole.replace(b"SIETYP", b"SIETYX", 1)) == "upload.broken"  # the checksum tells


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\books\\a.se", "a.se"), ("a\x00b\n.se", "ab.se"), ("", "file"),
        ("/", "file"), ("\u202ees.txt", "es.txt"), ("å" * 300, "å" * 200),
    ],
)  # fmt: skip
def test_a_name_leads_nowhere(name: str, kept: str) -> None:
    assert plain_name(name) == kept
    if name and "\x00" not in name:
        assert file_of("x.zip", archive((f"{name}.se", SIE)), largest=MB)[0] == plain_name(f"{name}.se")
