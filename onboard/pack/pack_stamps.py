"""What tells whether a file was written since it was hashed.

The kernel sets the time of the inode's last change at every write, rename and change of time
stamps, and no call sets it to a value of one's own: a file with an equal stamp has not been
written since. Only as good as the file system: those in KEEP_CHANGE_TIMES keep that time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from onboard.errors import InputError

# Not FAT and exFAT (USB sticks), which make inode numbers up and keep no such time, nor what other
# machines write (NFS, SMB, FUSE).
KEEP_CHANGE_TIMES = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "overlay", "zfs")
MOUNTS = Path("/proc/self/mountinfo")

# These make an inode's number up whenever they read it from the disk again, which a machine short
# of memory does in flight, and take the time of its change from that of the content. fuseblk is
# exfat-fuse (and ntfs-3g).
MAKE_INODES_UP = ("vfat", "msdos", "exfat", "fuseblk")

# Device, inode, size, and the times of the last change of content and of inode, in nanoseconds.
Stamp = tuple[int, int, int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """0 for device, inode and its time where the file system makes them up."""
    s = status
    if makes_inodes_up(s.st_dev):
        return 0, 0, s.st_size, s.st_mtime_ns, 0
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


@dataclass(frozen=True)
class HashedFiles:
    """Files of a pack as they were when they were hashed, by their paths in it."""

    pack: Path
    stamps: Mapping[str, Stamp]

    def check(self, name: str, file: int | None = None) -> None:
        """file: the file that was opened, or the one that bears the name now. What was read before
        is what was hashed. Raises InputError: the file was written or exchanged since."""
        path = self.pack / name
        try:
            status = path.lstat() if file is None else os.fstat(file)
            same = stamp_of(status) == self.stamps.get(name)
        except OSError as e:
            raise InputError(f"{path}: cannot be read ({e.strerror}); copy the pack again") from e
        if not same:
            raise InputError(
                f"{path}: was written or exchanged after it was checked; start again, and let "
                "nothing write to a pack in flight"
            )


def keeps_change_times(device: int, mounts: Path = MOUNTS) -> bool:
    """device: a Stamp's first number. False where it can't be told."""
    kinds = _kinds(device, mounts)
    return bool(kinds) and kinds <= set(KEEP_CHANGE_TIMES)


@lru_cache(maxsize=64)  # asked at every reading
def makes_inodes_up(device: int, mounts: Path = MOUNTS) -> bool:
    """False where it can't be told."""
    return not _kinds(device, mounts).isdisjoint(MAKE_INODES_UP)


def _kinds(device: int, mounts: Path) -> set[str]:
    """The file systems mounted from a device; none where it can't be told."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    kinds = set()
    for line in lines:  # proc(5): id parent major:minor root place options ... - type source ...
        first, _, rest = line.partition(" - ")
        if first.split()[2:3] == [wanted]:
            kinds.add(rest.split(" ")[0])
    return kinds
