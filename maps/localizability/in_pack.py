"""Puts the localizability map into its pack: files of their own that the manifest lists.

What the aircraft flies by does not change, but the manifest does. Files bear the hash of what
they hold, so the pack is whole at every moment: new files, then the manifest, then the old
files go. A signed pack is left alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

from onboard.pack.map_pack import MapPack
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    MANIFEST_NAME,
    Manifest,
    manifest_text,
    read_manifest,
)
from onboard.pack.pack_signature import SIGNATURE_NAME
from onboard.whole_file import write_whole

STEM = "localizability"
HASH_LETTERS = 12


def is_signed(pack: MapPack) -> bool:
    return (pack.path / SIGNATURE_NAME).exists()


def own_files(manifest: Manifest) -> list[str]:
    """Those of an earlier check."""
    return [f.path for f in manifest.files if f.path.startswith(f"{STEM}-")]


def map_sha256(pack: MapPack) -> str:
    """Names the map apart from what a check put into it."""
    rest = [f for f in pack.manifest.files if f.path not in own_files(pack.manifest)]
    bare = dataclasses.replace(pack.manifest, files=tuple(rest))
    return hashlib.sha256(manifest_text(bare).encode()).hexdigest()


def put_into_pack(path: Path, contents: Mapping[str, bytes]) -> list[str]:
    """contents: by suffix, as '.png'. Returns the files' names. The pack must not be signed.

    Raises InputError: the folder cannot be written.
    """
    manifest = read_manifest(path)
    before = own_files(manifest)
    names = []
    for suffix, data in contents.items():
        name = f"{STEM}-{hashlib.sha256(data).hexdigest()[:HASH_LETTERS]}{suffix}"
        write_whole(path / name, data)
        names.append(name)
    files = [f for f in manifest.files if f.path not in before]
    files += [describe_file(path, name) for name in names]
    write_whole(
        path / MANIFEST_NAME,
        manifest_text(dataclasses.replace(manifest, files=tuple(files))),
    )
    for name in set(before) - set(names):
        (path / name).unlink(missing_ok=True)
    return names
