"""`manage.py rotate_keys`: everything encrypted is re-encrypted with the first of FERNET_KEYS, while Kontor works."""

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from apps.core import rotation
from apps.core.rotation import Counts

TELL_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Re-encrypts every secret and kept payload with the first of FERNET_KEYS, then proves that nothing old is left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only prove; nothing is written")
        parser.add_argument("--json", action="store_true", help="a line per encrypted column, and one for all")

    def handle(self, **options: Any) -> None:
        self.as_json = options["json"]
        self.told = time.monotonic()
        columns = rotation.columns()
        rewritten = dict.fromkeys([column.label for column in columns], 0)
        if not options["check"]:
            for column in columns:
                rewritten[column.label] = rotation.rotate(column, self._progress).rewritten
        found = []
        for column in columns:  # only now: what was written with an old key meanwhile is seen
            counts = rotation.prove(column, self._progress)
            counts.rewritten = rewritten[column.label]
            found.append(counts)
            self._tell(counts)
        names = ("values", "rewritten", "old", "unreadable")
        total = {name: sum(getattr(counts, name) for counts in found) for name in names}
        proven = all(counts.proven for counts in found)
        if self.as_json:
            self.stdout.write(json.dumps({"proven": proven, **total}))
        else:
            self.stdout.write(_sentence(total, proven=proven))
        if not proven:
            raise SystemExit(1)

    def _tell(self, counts: Counts) -> None:
        if self.as_json:
            self.stdout.write(json.dumps(asdict(counts)))
        elif counts.values:
            self.stdout.write(_line(counts))

    def _progress(self, counts: Counts) -> None:
        """To stderr, for whoever watches a long one."""
        if time.monotonic() - self.told > TELL_SECONDS:
            self.told = time.monotonic()
            self.stderr.write(f"{counts.field}: {counts.values} ...")


def _line(counts: Counts) -> str:
    return (
        f"{counts.field}: {counts.values} values, {counts.rewritten} rewritten, "
        f"{counts.old} old, {counts.unreadable} unreadable"
    )


def _sentence(total: dict[str, int], *, proven: bool) -> str:
    if proven:
        return f"Proven: each of {total['values']} values is read with the first key alone. The others may be removed."
    lines = []
    if total["old"]:
        lines.append(
            f"{total['old']} values are still of an older key. If this goes on, a process still writes with it: restart "
            "all with the new key first, and run this again. Do not remove the old key."
        )
    if total["unreadable"]:
        lines.append(f"{total['unreadable']} values are read by none of FERNET_KEYS: their key is missing.")
    return "\n".join(lines)
