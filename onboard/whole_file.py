"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from onboard.errors import InputError


def write_whole(path: Path, data: bytes | str | Iterable[str]) -> None:
    """Writes beside `path` and renames, so that a reader never meets half a file. A large
    text may come in pieces.

    Raises InputError: no such folder, not writable, disk full.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                for piece in [data] if isinstance(data, str) else data:
                    file.write(piece.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); free or choose a place") from e
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def partial_name(name: str) -> str:
    """What a file is called while it is written."""
    return f"{name}.partial"


def make_folder(path: Path) -> None:
    """Makes an output folder with its parents; one that is there already is good.

    Raises InputError: a file stands in the way, not allowed.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(
            f"{path}: this folder cannot be made ({e.strerror}); choose another folder"
        ) from e
