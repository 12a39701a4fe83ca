"""The hashes of a pack's files: taken when it is made, compared before any parser sees them."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from onboard.errors import InputError
from onboard.pack.ordinary_file import open_within
from onboard.pack.pack_manifest import Manifest, PackFile
from onboard.pack.pack_rules import MOST_FILE_BYTES
from onboard.pack.pack_stamps import Stamp, stamp_of

HASH_THREADS = 4
_CHUNK_BYTES = 1 << 20


def describe_file(pack: Path, name: str) -> PackFile:
    """Size and hash of a file of the pack. Raises OSError."""
    with open_within(pack, name) as file:
        return _describe(file, name, MOST_FILE_BYTES)


def _describe(file: BinaryIO, name: str, most_bytes: int) -> PackFile:
    digest, size = hashlib.sha256(), 0
    while size <= most_bytes and (chunk := file.read(_CHUNK_BYTES)):
        digest.update(chunk)
        size += len(chunk)
    return PackFile(name, size, digest.hexdigest())


def check_files(pack: Path, manifest: Manifest) -> dict[str, Stamp]:
    """Compares every file with the manifest, before any parser touches it. Gives by path what
    tells whether a file was written since.

    Raises InputError naming the first file that is missing, no ordinary file, cut short or
    changed.
    """
    with ThreadPoolExecutor(HASH_THREADS) as pool:
        stamps = pool.map(lambda expected: check_file(pack, expected), manifest.files)
        return {file.path: stamp for file, stamp in zip(manifest.files, stamps, strict=True)}


def check_file(pack: Path, expected: PackFile) -> Stamp:
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
            same = _describe(file, expected.path, expected.size) == expected
            if not same or stamp_of(os.fstat(file.fileno())) != stamp_of(status):
                raise InputError(
                    f"{path}: its sha256 is not the one in the manifest; "
                    "the file is damaged or was exchanged, copy or build the pack again"
                )
            return stamp_of(status)
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); copy or build the pack again"
        ) from e
