"""What SQLite keeps beside a file while it is written. Imagery is read without it, from media
that may be read-only, so what is still there would be missing from the map without a word."""

from __future__ import annotations

import shlex
from pathlib import Path

from onboard.errors import InputError

JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")  # zeroed once all is in the file


def refuse_leftovers(path: Path) -> None:
    """Raises InputError: changes lie in a `-wal` beside the file, or a `-journal` there says that
    writing it stopped halfway; one of them cannot be read."""
    real = path.resolve()  # SQLite keeps them beside the file itself, not beside a link
    try:
        if _begin_of(real, "-wal"):
            _refuse(
                real, "-wal", "holds changes that are not in it yet", "wal_checkpoint(TRUNCATE)"
            )
        if _begin_of(real, "-journal") == JOURNAL_MAGIC:
            _refuse(real, "-journal", "says that writing it was not ended", "quick_check")
    except OSError as e:
        raise InputError(
            f"{e.filename}: cannot be read ({e.strerror}), and may hold a part of {real.name}; "
            "let this user read it"
        ) from e


def _begin_of(path: Path, suffix: str) -> bytes:
    """Empty where there is no such file."""
    try:
        with path.with_name(path.name + suffix).open("rb") as file:
            return file.read(len(JOURNAL_MAGIC))
    except FileNotFoundError:
        return b""


def _refuse(path: Path, suffix: str, why: str, pragma: str) -> None:
    raise InputError(
        f"{path}: the file {path.name}{suffix} beside it {why}; close the program that has it "
        f'open, then run: sqlite3 {shlex.quote(str(path))} "PRAGMA {pragma}"'
    )
