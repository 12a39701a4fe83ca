"""The name by which later packs of the same ground are known."""

from __future__ import annotations

from pathlib import Path

from onboard.errors import InputError
from onboard.pack.pack_manifest import MOST_NAME_CHARS
from onboard.pack.plain_text import check_plain


def pack_name(said: str | None, out: Path) -> str:
    """said: by a person; else the name of the pack's folder. Raises InputError: one that does not
    show as it is (it stands in terminals, on pages, and in what is signed)."""
    name = out.stem if said is None else said
    try:
        check_plain("the pack's name", name, MOST_NAME_CHARS)
    except ValueError as e:
        raise InputError(f"--name {name!r}: {e}; give another --name") from e
    return name
