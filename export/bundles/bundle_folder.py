"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.whole_file import make_folder

INFO_NAME = "model.json"
# Suffixes of a folder that is being written and of one that is being replaced, both hidden
# beside their target and with the process in their name: .NAME.PID.new
NEW, OLD = ".new", ".old"


@contextlib.contextmanager
def new_bundle(out: Path) -> Iterator[Path]:
    """A working folder beside `out` that takes its place when the block ends well. When it
    does not, `out` is left as it was and the working folder is gone; what a killed process
    left behind goes with the next call for the same `out`.

    Raises InputError: `out` is there and is no bundle, not writable, disk full.
    """
    try:
        target = out.resolve()
        make_folder(target.parent)
        _clear_up(target)
        if not _may_be_replaced(target):
            raise InputError(f"{out}: is there and is no model bundle; choose another folder")
        work = _beside(target, NEW)
        work.mkdir()
        try:
            yield work
            _replace_folder(work, target)
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


def _may_be_replaced(target: Path) -> bool:
    if not target.exists() or (target / INFO_NAME).is_file():
        return True
    return target.is_dir() and not any(target.iterdir())


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}{suffix}")


def _replace_folder(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    aside = _beside(target, OLD)
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _clear_up(target: Path) -> None:
    """Removes what killed processes left; a bundle that one had put aside comes back when
    nothing had taken its place yet."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*"):
        pid = path.stem.rpartition(".")[2]
        if path.suffix not in (NEW, OLD) or not pid.isdecimal() or _is_alive(int(pid)):
            continue
        if path.suffix == OLD and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():  # of a process before this one: containers give the same out again
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
