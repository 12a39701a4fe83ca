"""The hashes of a pack's files: taken when it is made, compared before any parser sees them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Protocol

from onboard.errors import InputError
from onboard.pack.ordinary_file import open_within
from onboard.pack.pack_manifest import Manifest, PackFile
from onboard.pack.pack_rules import MOST_FILE_BYTES
from onboard.pack.pack_stamps import Stamp, stamp_of

HASH_THREADS = 4
_CHUNK_BYTES = 1 << 20


class HashWatch(Protocol):
    """Told how far hashing is, by several threads."""

    def read(self, size_bytes: int) -> None:
        """So much was read since the last call."""

    def good(self, name: str, stamp: Stamp) -> None:
        """A file is as the manifest says, as long as it bears this stamp."""


class _NoWatch:
    def read(self, size_bytes: int) -> None:
        pass

    def good(self, name: str, stamp: Stamp) -> None:
        pass


NO_WATCH: HashWatch = _NoWatch()


def describe_file(pack: Path, name: str) -> PackFile:
    """Size and hash of a file of the pack. Raises OSError."""
    with open_within(pack, name) as file:
        return _describe(file, name, MOST_FILE_BYTES, NO_WATCH)


def _describe(file: BinaryIO, name: str, most_bytes: int, watch: HashWatch) -> PackFile:
    digest, size = hashlib.sha256(), 0
    while size <= most_bytes and (chunk := file.read(_CHUNK_BYTES)):
        digest.update(chunk)
        size += len(chunk)
        watch.read(len(chunk))
    return PackFile(name, size, digest.hexdigest())


def check_files(
    pack: Path,
    manifest: Manifest,
    watch: HashWatch = NO_WATCH,
    leave_out: Collection[str] = (),
) -> dict[str, Stamp]:
    """Compares every file but those left out with the manifest, before any parser touches it.
    Gives by path what tells whether a file was written since.

    Raises InputError naming the first file that is missing, no ordinary file, cut short or
    changed.
    """
    files = [file for file in manifest.files if file.path not in leave_out]
    with ThreadPoolExecutor(HASH_THREADS) as pool:
        stamps = pool.map(lambda expected: check_file(pack, expected, watch), files)
        return {file.path: stamp for file, stamp in zip(files, stamps, strict=True)}


def check_file(pack: Path, expected: PackFile, watch: HashWatch = NO_WATCH) -> Stamp:
    """Raises InputError as `check_files` does."""
    path = pack / expected.path
    try:
        with open_within(pack, expected.path) as file:
            status = os.fstat(file.fileno())
            if status.st_size != expected.size:
                raise InputError(
                    f"{path}: is {status.st_size} bytes long, the manifest says {expected.size}; "
                    "the file was cut short or exchanged, copy or build the pack again"
                )
            same = _describe(file, expected.path, expected.size, watch) == expected
            if not same or stamp_of(os.fstat(file.fileno())) != stamp_of(status):
                raise InputError(
                    f"{path}: its sha256 is not the one in the manifest; "
                    "the file is damaged or was exchanged, copy or build the pack again"
                )
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); copy or build the pack again"
        ) from e
    watch.good(expected.path, stamp_of(status))
    return stamp_of(status)
