"""Opens a map pack whose files were hashed since the machine started, without hashing again.

After a crash the companion must publish within 2 s, and a large pack takes longer to hash. A
stamp in memory (/run, gone at every boot) says which files were hashed: by device, inode, size,
and the times of the last change of content and of inode, to the nanosecond. The kernel sets the
latter at every write, rename and change of time stamps, so a file with an equal stamp has not
been written since. A disk that rots unnoticed within a boot isn't found by it; nor would it be
in a flight that went on, for tiles are read as they are needed.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from onboard.errors import InputError
from onboard.map_pack import MapPack
from onboard.model_bundle import ModelBundle
from onboard.pack_manifest import MANIFEST_NAME, check_files, read_manifest
from onboard.whole_file import write_whole

STAMP_NAME = "checked_pack.json"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Stamp = dict[str, list[int]]


def open_checked_pack(path: Path, bundle: ModelBundle | None, stamps: Path | None) -> MapPack:
    """stamps: a folder of this user alone that a reboot empties (`stamp_folder`); None: every
    file is hashed. Raises InputError as `MapPack.open` does."""
    boot_id = _boot_id()
    if stamps is None or not boot_id:
        return MapPack.open(path, bundle)
    manifest = read_manifest(path)
    names = (MANIFEST_NAME, *(file.path for file in manifest.files))
    stamp = {"boot": boot_id, "pack": str(path.resolve()), "files": _stamp(path, names)}
    if _read(stamps) != stamp:
        check_files(path, manifest)
        if _stamp(path, names) == stamp["files"]:  # else someone wrote while we read
            with contextlib.suppress(InputError):
                write_whole(stamps / STAMP_NAME, json.dumps(stamp))
    return MapPack.open(path, bundle, check_hashes=False)


def stamp_folder() -> Path | None:
    """systemd's RUNTIME_DIRECTORY, else this user's own in /run; None where there is neither or
    others may write there."""
    for place in (os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")):
        if not place:
            continue
        folder = Path(place.split(":")[0])
        with contextlib.suppress(OSError):
            status = folder.stat()
            private = status.st_uid == os.getuid() and not status.st_mode & 0o022
            if private and _in_memory(folder):
                return folder
    return None


def _in_memory(folder: Path) -> bool:
    return folder.resolve().is_relative_to("/run")


def _stamp(pack: Path, names: tuple[str, ...]) -> Stamp:
    """Raises InputError: a file is missing."""
    try:
        statuses = {name: (pack / name).stat() for name in names}
    except OSError as e:
        raise InputError(
            f"{e.filename}: cannot be read ({e.strerror}); copy or build the pack again"
        ) from e
    return {
        name: [s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns]
        for name, s in statuses.items()
    }


def _read(stamps: Path) -> object:
    try:
        return json.loads((stamps / STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
