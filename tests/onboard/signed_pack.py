"""A small pack signed with a key of its own."""

from __future__ import annotations

from pathlib import Path

from maps.signing import make_key, read_private_key, sign_pack
from onboard.pack.found_pack import MapTrust
from onboard.pack.pack_signature import read_public_keys
from tests.onboard.hand_made_pack import square_table, write_pack

DAY_S = 86_400.0
SIGNED_S = 1_795_000_000.0  # 2026-11-18, in Unix seconds


def make_signed_pack(
    folder: Path, expires: str | None = None, serial: int | None = None, seed: int = 1
) -> tuple[Path, MapTrust]:
    """folder/area.pack, and trust in its key with a list of accepted maps of its own."""
    pack = write_pack(folder / "area.pack", [square_table(4, seed)], sigma_m=2.5)
    private, public, _ = make_key(folder / "keys")
    sign_pack(pack, read_private_key(private), expires, serial, SIGNED_S)
    return pack, MapTrust(read_public_keys(public), folder / "state" / "accepted_maps.json")
