"""Which start of the machine this is."""

from __future__ import annotations

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """random(4); another at every boot. '' where it can't be told."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
