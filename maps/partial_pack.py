"""The folder in which a pack grows: `<out>.partial`, taken up again by the same request."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from onboard.errors import BackendError, InputError
from onboard.pack.pack_manifest import MANIFEST_NAME
from onboard.whole_file import partial_name, write_whole

MARK_NAME = "request.json"
LOCK_NAME = "lock"
ALMOST_FULL_BYTES = 1 << 20  # SQLite may call a full disk an I/O error


@contextlib.contextmanager
def partial_pack(out: Path, request: dict[str, Any], replace: bool) -> Iterator[tuple[Path, str]]:
    """(the folder, a note for the person or ''), locked against a second build.

    On leaving without an exception the folder is renamed to `out`. It goes when an input
    proved wrong, and stays for the same request to go on when anything else happened. An
    existing pack is only replaced when asked to, anything else never. Raises InputError: out
    exists, another build at work, a full disk or another system error.
    """
    refuse_existing(out, replace)
    folder = out.with_name(out.name + ".partial")
    _leave_alone_what_is_no_pack(out, folder)
    with system_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK_NAME).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                raise _at_work(folder) from e
            if not _is_still(lock, folder / LOCK_NAME):
                raise _at_work(folder)
            try:
                yield folder, _take_up(folder, request)
            except InputError as e:
                if not _is_of_the_machine(e.__cause__):
                    shutil.rmtree(folder)
                raise
            (folder / MARK_NAME).unlink()
            _give_name(folder, out)
            # Last: until the folder has its name, the lock keeps others out of it.
            (out / LOCK_NAME).unlink()


def refuse_existing(out: Path, replace: bool) -> None:
    """Raises InputError when out exists and was not asked to be replaced."""
    if out.exists() and not replace:
        raise InputError(f"{out}: exists already; give another --out, or --force to replace it")


def sync(path: Path) -> None:
    """Waits until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _at_work(folder: Path) -> InputError:
    return InputError(f"{folder}: another build is at work on it; wait for it or stop it")


def _is_still(lock: IO[str], path: Path) -> bool:
    """Not so when the build that held the lock has just ended and given the folder its name."""
    return path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat())


def _take_up(folder: Path, request: dict[str, Any]) -> str:
    mark = folder / MARK_NAME
    text = json.dumps(request, indent=1, sort_keys=True)
    note = ""
    if mark.exists():
        if mark.read_text(encoding="utf-8") == text:
            return f"going on with {folder}"
        note = f"{folder} was made from other inputs or options; starting afresh"
    for child in folder.iterdir():
        if child.name != LOCK_NAME:
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    write_whole(mark, text)
    return note


def _leave_alone_what_is_no_pack(out: Path, folder: Path) -> None:
    """Raises InputError when something else has the name that a pack, the one it replaces or
    an unfinished one would have."""
    for path in (out, _old(out)):
        if path.exists() and not (path / MANIFEST_NAME).is_file():
            raise InputError(f"{path}: exists and is no map pack; move it or give another --out")
    if folder.is_dir() and not (folder / MARK_NAME).exists():
        # A build that was killed at its very start leaves these.
        begun = {LOCK_NAME, partial_name(MARK_NAME)}
        # One that was killed at its very end has all but the name.
        ended = (folder / MANIFEST_NAME).exists()
        if not ended and {child.name for child in folder.iterdir()} - begun:
            raise InputError(f"{folder}: exists and is no unfinished pack; move it")


def _old(out: Path) -> Path:
    return out.with_name(out.name + ".old")


def _give_name(folder: Path, out: Path) -> None:
    old = _old(out)
    if out.exists():
        if old.exists():
            shutil.rmtree(old)
        out.rename(old)
    folder.rename(out)
    if old.exists():
        shutil.rmtree(old)


@contextlib.contextmanager
def system_sentences(folder: Path) -> Iterator[None]:
    """System errors in the work on a folder as the sentence a person needs."""
    try:
        yield
    except (OSError, sqlite3.Error) as e:
        if _is_full(e, folder):
            raise InputError(
                f"{folder}: the disk is full; free some space and give the same command again, "
                "it goes on where it stopped"
            ) from e
        where = getattr(e, "filename", None) or folder
        reason = getattr(e, "strerror", None) or e
        raise InputError(f"{where}: {reason}; put it right and give the same command again") from e


def _is_of_the_machine(error: BaseException | None) -> bool:
    if isinstance(error, BackendError):
        return True
    # rasterio's errors are OSErrors too, without a number.
    return isinstance(error, OSError) and error.errno is not None


def _is_full(error: Exception, folder: Path) -> bool:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    if isinstance(error, sqlite3.Error) and "disk is full" in str(error):
        return True
    if getattr(error, "errno", errno.EIO) != errno.EIO:
        return False
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    return shutil.disk_usage(existing).free < ALMOST_FULL_BYTES
