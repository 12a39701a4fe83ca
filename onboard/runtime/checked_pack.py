"""Opens a map pack whose files were hashed since the machine started, without hashing again.

After a crash the companion must publish within 2 s, and a large pack takes longer to hash. A
record in memory (/run, gone at every boot) says which files were hashed under which manifest, with
what tells of each whether it was written since (`pack_stamps`). A disk that rots unnoticed
within a boot isn't found by it; nor would it be in a flight that went on, for tiles are read as
they are needed.

Where a pack must be signed, no file is read that was written after it was hashed, now or later in
the flight; the manifest and its signature are checked at every start, and the
record counts only for that very manifest and only on a file system that keeps the times of change
itself: a stick that was written elsewhere and put back would pass otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from onboard.boot_id import boot_id
from onboard.errors import InputError
from onboard.model_bundle import ModelBundle
from onboard.pack.found_pack import FoundPack
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_hashes import check_files
from onboard.pack.pack_manifest import MANIFEST_NAME
from onboard.pack.pack_stamps import HashedFiles, Stamp, keeps_change_times, stamp_of
from onboard.runtime.hashing_progress import HashingProgress
from onboard.whole_file import write_whole

STAMP_NAME = "checked_pack.json"
# Kernels before 6.13 tell times of change to 10 ms (100 Hz): two writes within may look like one.
TICK_NS = 20_000_000
SETTLING_TRIES = 25  # a second


def open_checked_pack(found: FoundPack, bundle: ModelBundle | None, stamps: Path | None) -> MapPack:
    """stamps: a folder of this user alone that a reboot empties (`stamp_folder`); None: every
    file is hashed. Raises InputError as `MapPack.open` does."""
    path, manifest, boot = found.path, found.manifest, boot_id()
    names = (MANIFEST_NAME, *(file.path for file in manifest.files))
    there = _settled(path, names) if found.trusted else _stamp(path, names)
    if stamps is None or not boot:
        _hash(found, there, {}, lambda good: None)
        return _opened(found, bundle, there)
    head = {
        "boot": boot,
        "pack": str(path.resolve()),
        "manifest_sha256": found.manifest_sha256,
    }

    def keep(good: dict[str, Stamp]) -> None:
        with contextlib.suppress(InputError):
            write_whole(stamps / STAMP_NAME, json.dumps({**head, "files": good}))

    before = _read(stamps / STAMP_NAME, head) if _counts(found, there) else {}
    good = {name: stamp for name, stamp in there.items() if before.get(name) == list(stamp)}
    _hash(found, there, good, keep)
    return _opened(found, bundle, there)


def _hash(
    found: FoundPack,
    there: dict[str, Stamp],
    good: dict[str, Stamp],
    keep: Callable[[dict[str, Stamp]], None],
) -> None:
    """What isn't good yet. keep: given what is, every second and at the end, so that a start that
    was killed goes on. Raises InputError as `check_files` does."""
    left = [file.size for file in found.manifest.files if file.path not in good]
    if left:
        progress = HashingProgress(sum(left), there, good, keep)
        check_files(found.path, found.manifest, progress, good)
        progress.end()


def _opened(found: FoundPack, bundle: ModelBundle | None, there: dict[str, Stamp]) -> MapPack:
    hashed = HashedFiles(found.path, there) if found.trusted else None
    pack = MapPack.of_manifest(found.path, found.manifest, bundle, False, hashed)
    if hashed is not None:
        _ = pack.terrain  # opened now as the imagery was, and kept open
        for name in there:
            hashed.check(name)
    return pack


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


def _counts(found: FoundPack, there: dict[str, Stamp]) -> bool:
    """Whether equal stamps mean equal files, as surely as this pack asks for."""
    return not found.trusted or all(
        keeps_change_times(device) for device in {stamp[0] for stamp in there.values()}
    )


def _in_memory(folder: Path) -> bool:
    return folder.resolve().is_relative_to("/run")


def _settled(pack: Path, names: tuple[str, ...]) -> dict[str, Stamp]:
    """Stamps that every later write changes. Raises InputError as `_stamp` does, and where someone
    goes on writing."""
    for _ in range(SETTLING_TRIES):
        there = _stamp(pack, names)
        age_ns = time.time_ns() - max(max(stamp[-2:]) for stamp in there.values())
        if abs(age_ns) > TICK_NS:
            return there
        time.sleep(2e-9 * TICK_NS)
    raise InputError(f"{pack}: is being written; wait until it is whole, and start again")


def _stamp(pack: Path, names: tuple[str, ...]) -> dict[str, Stamp]:
    """Raises InputError: a file is missing. A link counts as what it is."""
    try:
        return {name: stamp_of((pack / name).lstat()) for name in names}
    except OSError as e:
        raise InputError(
            f"{e.filename}: cannot be read ({e.strerror}); copy or build the pack again"
        ) from e


def _read(record: Path, head: dict[str, str]) -> dict[str, object]:
    """The stamps of the files that were hashed under this head."""
    try:
        table = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(table, dict) or {key: table.get(key) for key in head} != head:
        return {}
    files = table.get("files")
    return files if isinstance(files, dict) else {}
