"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.whole_file import make_folder

INFO_NAME = "model.json"


@contextlib.contextmanager
def new_bundle(out: Path) -> Iterator[Path]:
    """A working folder beside `out` that takes its place when the block ends well. When it
    does not, `out` is left as it was and the working folder is gone.

    Raises InputError: `out` is there and is no bundle, not writable, disk full.
    """
    if out.exists() and not (out / INFO_NAME).is_file() and (out.is_file() or any(out.iterdir())):
        raise InputError(f"{out}: is there and is no model bundle; choose another folder")
    make_folder(out.parent)
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            yield work
            work.chmod(0o755)
            _replace_folder(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as e:
        raise InputError(
            f"{out}: not written ({e.strerror or e}); free space or choose another place"
        ) from e


def write_info(work: Path, info: dict[str, Any]) -> None:
    """Writes model.json, with the sha256 of every other file of the folder under `files`."""
    names = sorted(p.name for p in work.iterdir() if p.name != INFO_NAME)
    files = {n: hashlib.sha256((work / n).read_bytes()).hexdigest() for n in names}
    text = json.dumps({**info, "files": files}, indent=2) + "\n"
    (work / INFO_NAME).write_text(text, encoding="utf-8")


def _replace_folder(new: Path, old: Path) -> None:
    if not old.exists():
        new.rename(old)
        return
    aside = old.with_name(f".{old.name}-old-{os.getpid()}")
    old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)
