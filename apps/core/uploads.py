"""Files that people send: how large they may be, what they are by their content, and what is inside an archive.

A name, an ending or a content type proves nothing and decides nothing here.
"""

import io
import re
import struct
import zipfile
import zlib
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

TOO_LARGE = "upload.too_large"
MOST_ENTRIES = 1000
LONGEST_NAME = 200
CHUNK = 1024 * 1024
END_SIGN = b"PK\x05\x06"
ZIP = (b"PK\x03\x04", END_SIGN)  # the second: an empty one
END, LONGEST_COMMENT = struct.Struct("<4s4H2LH"), 2**16 - 1  # the record at an archive's end, and what may follow it
BIG_END = b"PK\x06\x07"  # stands right before it in a ZIP64 archive
LARGEST_LIST = MOST_ENTRIES * 300  # bytes of the list of entries
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What a file is by its first bytes, where that is nothing that is read here.
KINDS = (
    (b"%PDF", gettext_noop("a PDF")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", gettext_noop("an old Word or Excel file")),
    (b"\x1f\x8b", gettext_noop("a gzip archive")),
    (b"BZh", gettext_noop("a bzip2 archive")),
    (b"\xfd7zXZ\x00", gettext_noop("an xz archive")),
    (b"7z\xbc\xaf\x27\x1c", gettext_noop("a 7z archive")),
    (b"Rar!", gettext_noop("a RAR archive")),
    (b"\x89PNG", gettext_noop("a picture")),
    (b"\xff\xd8\xff", gettext_noop("a picture")),
    (b"GIF8", gettext_noop("a picture")),
    (b"MZ", gettext_noop("a program")),
    (b"\x7fELF", gettext_noop("a program")),
    (b"SQLite format 3\x00", gettext_noop("a database")),
)


class UploadRefusedError(ValueError):
    """The file is not looked into any further. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


def file_of(name: str, data: bytes, *, largest: int) -> tuple[str, bytes]:
    """The file itself: as it was sent, or the only one in the ZIP archive that was sent.

    Nothing is written to the disk, so that names in an archive lead nowhere. Raises UploadRefusedError.
    """
    _refuse_large(len(data), largest)
    if data.startswith(ZIP):
        name, data = _unzipped(data, largest)
        if data.startswith(ZIP):
            raise UploadRefusedError(
                "upload.nested", _("There is an archive inside the archive. Send the file itself.")
            )
    for beginning, kind in KINDS:
        if data.startswith(beginning):
            text = _("The file is %(kind)s, whatever its name says. Send the export of the accounting program itself.")
            raise UploadRefusedError("upload.kind", text % {"kind": _(kind)})
    return plain_name(name), data


def plain_name(name: str) -> str:
    """What is kept of a file's name: no folders, no signs that are not seen."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(sign for sign in last if sign.isprintable()).strip()[-LONGEST_NAME:] or "file"


def _unzipped(data: bytes, largest: int) -> tuple[str, bytes]:
    _refuse_long_list(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:  # the count at the archive's end is not what is read
                raise _many()
            files = [one for one in entries if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
            if len(files) != 1:
                text = _("There are %(count)s files in the archive; send one at a time.") % {"count": len(files)}
                raise UploadRefusedError("upload.many", text)
            if files[0].compress_type not in METHODS:
                text = _("The archive is packed in an unusual way. Pack it as an ordinary ZIP file, or send the file.")
                raise UploadRefusedError("upload.method", text)
            if files[0].flag_bits & 1:
                raise UploadRefusedError("upload.encrypted", _("The archive has a password. Send it without."))
            # What the archive says about sizes is not believed: it is read until there is too much.
            parts, size = [], 0
            with archive.open(files[0]) as packed:
                while part := packed.read(CHUNK):
                    size += len(part)
                    _refuse_large(size, largest)
                    parts.append(part)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, UploadRefusedError):
            raise
        raise _broken() from error
    return files[0].filename, b"".join(parts)


def _refuse_long_list(data: bytes) -> None:
    """Before the list of entries is read, which takes ten times its size: looks only at the record at the end.

    `zipfile` finds that record in the same way, and reads as many bytes as it says, whatever its count.
    """
    at = len(data) - END.size
    if not (data.startswith(END_SIGN, max(at, 0)) and data.endswith(b"\0\0")):
        at = data.rfind(END_SIGN, max(at - LONGEST_COMMENT - 1, 0))
    if at < 0 or len(data) - at < END.size:
        raise _broken()
    *_disks, count, size, _offset, _comment = END.unpack_from(data, at)
    if data[max(at - 20, 0) : at].startswith(BIG_END):
        raise _broken()
    if count > MOST_ENTRIES or size > LARGEST_LIST:
        raise _many()


def _many() -> UploadRefusedError:
    return UploadRefusedError("upload.many", _("There are too many files in the archive."))


def _broken() -> UploadRefusedError:
    return UploadRefusedError("upload.broken", _("The archive is damaged or of an unusual kind."))


def _refuse_large(size: int, largest: int) -> None:
    if size > largest:
        text = _("The file is larger than %(most)s MB. Export one fiscal year at a time.")
        raise UploadRefusedError(TOO_LARGE, text % {"most": largest // 2**20})


class CappedUpload(FileUploadHandler):
    """Stands before Django's own handlers: more than KONTOR_UPLOAD_BYTES of one request are never kept.

    The rest is read and thrown away, so that the browser gets its answer; the view asks `was_cut`.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.size = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 - Django's signature
        self.size += len(raw_data)
        if self.size > settings.KONTOR_UPLOAD_BYTES:
            if self.request is not None:
                self.request.META["kontor.upload_cut"] = True
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:  # noqa: ARG002 - Django's signature
        return None  # the next handler keeps it


def was_cut(request: Any) -> bool:
    return bool(request.META.get("kontor.upload_cut"))
