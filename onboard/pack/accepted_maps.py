"""The newest signature that this machine accepted for each map, so that none goes back; and the
newest day that had come then.

One small JSON file in the user's state folder. A map flown for the first time is accepted as it
is; a file that is damaged is no reason to believe anything, and a person has to look.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.pack.pack_manifest import MOST_NAME_CHARS
from onboard.pack.pack_rules import check_range, check_sha256
from onboard.pack.pack_signature import MOST_SERIAL, Signed, is_day
from onboard.pack.plain_text import check_plain
from onboard.pack.strict_json import parse_strictly
from onboard.settings import settings_from_table
from onboard.whole_file import make_folder, write_whole

FILE_NAME = "accepted_maps.json"
FORMAT = 1
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Accepted:
    """issued: a UTC day."""

    pack: str
    serial: int
    manifest_sha256: str
    issued: str

    def __post_init__(self) -> None:
        check_plain("pack", self.pack, MOST_NAME_CHARS)
        check_range("serial", self.serial, 1, MOST_SERIAL)
        check_sha256("manifest_sha256", self.manifest_sha256)
        if not is_day(self.issued):
            raise ValueError(f"issued is {self.issued!r}, which is no day")


@dataclass(frozen=True)
class AcceptedMaps:
    """One of each pack's name. certain_day: UTC, '' for none (`MapDay.to_keep`)."""

    format: int = FORMAT
    maps: tuple[Accepted, ...] = ()
    certain_day: str = ""

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format is {self.format}, this Pilotage reads {FORMAT}")
        if len({m.pack for m in self.maps}) != len(self.maps):
            raise ValueError("a map stands there twice")
        if self.certain_day and not is_day(self.certain_day):
            raise ValueError(f"certain_day is {self.certain_day!r}, which is no day")

    def newest(self, pack: str) -> Accepted | None:
        """Of a pack's name; None when none of that name was accepted."""
        return next((m for m in self.maps if m.pack == pack), None)

    def check(self, pack: Path, signed: Signed) -> None:
        """Raises InputError: older than what was accepted, or as old and another."""
        last = self.newest(signed.pack)
        if last is None or signed.serial > last.serial:
            return
        if signed.serial < last.serial:
            raise InputError(
                f"{pack}: its signature has serial {signed.serial}, but this machine has accepted "
                f"serial {last.serial} of '{signed.pack}'; install the newer pack, or sign this "
                f"one anew ('pilotage map sign --serial {last.serial + 1}')"
            )
        if signed.manifest_sha256 != last.manifest_sha256:
            raise InputError(
                f"{pack}: serial {signed.serial} of '{signed.pack}' was given to two different "
                "packs, and this machine has accepted the other one; sign the newer one anew "
                f"('pilotage map sign --serial {last.serial + 1}')"
            )


def read_accepted(path: Path) -> AcceptedMaps:
    """Empty where there is no file yet. Raises InputError: unreadable or damaged."""
    mend = "see that the map is the one you want to fly, then remove this file"
    try:
        with path.open("rb") as file:
            table = parse_strictly(file.read(MOST_BYTES + 1), MOST_BYTES)
        if not isinstance(table, dict):
            raise ValueError("not a table")
        return settings_from_table(table, AcceptedMaps, "maps")
    except FileNotFoundError:
        return AcceptedMaps()
    except OSError as e:
        raise InputError(
            f"{path}: the maps accepted so far cannot be read ({e.strerror}); make it readable"
        ) from e
    except (ValueError, InputError) as e:
        raise InputError(f"{path}: the list of accepted maps is damaged ({e}); {mend}") from e


def accept(path: Path, pack: Path, signed: Signed, certain_day: str = "") -> None:
    """Keeps a signature as the newest of its pack, and a day that has come; on the disk when it
    returns. Writes nothing when both are kept already. Raises InputError: older than one accepted
    meanwhile, or the file can't be read or written."""
    held = read_accepted(path)
    wanted = _with(held, pack, signed, certain_day)
    if wanted == held:
        return
    only_the_day = wanted.maps == held.maps
    try:
        make_folder(path.parent)
        with _alone(path.parent):
            wanted = _with(read_accepted(path), pack, signed, certain_day)
            write_whole(path, json.dumps(dataclasses.asdict(wanted), indent=1) + "\n")
    except InputError:
        # That a day can't be kept is no reason to refuse a map that is known.
        if not only_the_day or wanted.maps != held.maps:
            raise
        read_accepted(path).check(pack, signed)


def _with(held: AcceptedMaps, pack: Path, signed: Signed, certain_day: str) -> AcceptedMaps:
    """Raises InputError as `check` does."""
    held.check(pack, signed)
    new = Accepted(signed.pack, signed.serial, signed.manifest_sha256, signed.issued)
    others = (m for m in held.maps if m.pack != signed.pack)
    maps = tuple(sorted((*others, new), key=lambda m: m.pack))
    return AcceptedMaps(FORMAT, maps, max(held.certain_day, certain_day))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two companions that start together must not lose each other's entry; and the renaming is
    on the disk, too, at the end. Raises InputError."""
    with contextlib.ExitStack() as stack:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as e:
            raise InputError(
                f"{folder}: cannot be locked ({e.strerror}); the newest map accepted is kept "
                "there: let this user read and write it, on a file system that can lock"
            ) from e
        yield
        with contextlib.suppress(OSError):
            os.fsync(handle)
