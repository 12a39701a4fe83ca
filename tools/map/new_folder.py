"""Where a pack or a store may be made."""

from __future__ import annotations

from pathlib import Path

from onboard.errors import InputError


def refuse_missing_parent(option: str, path: Path) -> None:
    """Only the last component of the path may be new: a mistyped mount point would fill the
    root's disk. Raises InputError: the folder above is not there."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(
            f"{option} {path}: there is no folder {folder}; make it, or mount or correct it"
        )
