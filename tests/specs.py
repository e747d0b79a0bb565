"""Counts what was checked against the vendors' own specifications, over all processes of a test run.

Each count is one byte appended to a file, so that processes side by side, and killed ones, lose nothing.
`python -m tests.specs FOLDER` prints the line with which `make test` ends.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER_VARIABLE = "KONTOR_SPEC_COUNTS"


def specs_folder() -> Path | None:
    """The folder with the vendors' specifications, or None where this machine has none: then skip what needs it."""
    named = os.environ.get("KONTOR_VENDOR_SPECS")
    folder = Path(named) if named else ROOT.parent / "shared" / "vendors"
    return folder if folder.is_dir() else None


def count_request() -> None:
    """Count a request of ours that was validated against the vendor's specification."""
    _count("requests")


def count_answer() -> None:
    """Count a sandbox's answer that was validated against the vendor's specification."""
    _count("answers")


def count_sample() -> None:
    """Count a vendor's recorded sample that our reader took."""
    _count("samples")


def summary(folder: Path) -> tuple[str, bool]:
    """The closing line, and whether everything was checked."""
    requests, answers, samples = (_size(folder / name) for name in ("requests", "answers", "samples"))
    if specs_folder() is None or not requests + answers + samples:
        return "vendor specs: NOT CHECKED", False
    line = f"vendor specs: {requests} requests and {answers} answers validated, {samples} samples parsed"
    return line, bool(requests and answers and samples)


def main(folder: str) -> int:
    line, checked = summary(Path(folder))
    demanded = os.environ.get("KONTOR_REQUIRE_SPECS") == "1"
    if demanded and not checked:
        sys.stderr.write("KONTOR_REQUIRE_SPECS=1, but not all of requests, answers and samples were checked\n")
    sys.stdout.write(f"{line}\n")
    return 1 if demanded and not checked else 0


def _count(name: str) -> None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        descriptor = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
