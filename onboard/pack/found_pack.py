"""A map pack as it is found: its manifest read once, and what its signature says of it.

The bytes whose signature is checked are the bytes that are parsed; nothing is parsed before.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.pack.accepted_maps import Accepted, AcceptedMaps, accept, read_accepted
from onboard.pack.certain_day import MapDay
from onboard.pack.pack_manifest import MANIFEST_NAME, Manifest, manifest_bytes, parse_manifest
from onboard.pack.pack_signature import (
    SIGNATURE_NAME,
    PackSignature,
    PublicKey,
    Signed,
    check_signature,
    read_public_keys,
    read_signature,
)
from onboard.pack.taken_map import keep_taken, was_taken
from onboard.system_clock import utc_day

NOT_CHECKED = "not checked (no public key given)"


@dataclass(frozen=True)
class MapTrust:
    """keys: whose signature counts, never empty. accepted: the file of the newest signatures that
    this machine accepted; None: whether a pack goes back is not asked. taken: the file of the map
    taken since the machine started; None: every start is judged as a take-off."""

    keys: tuple[PublicKey, ...]
    accepted: Path | None = None
    taken: Path | None = None


@dataclass(frozen=True)
class FoundPack:
    """signature: what stands in the pack, None where nothing that can be read does. trusted: a
    trusted key made it, and it counts today. said: both, as the end of a sentence. certain_day:
    the UTC day that has come once the files proved good."""

    path: Path
    manifest: Manifest
    manifest_sha256: str
    signature: PackSignature | None
    trusted: bool
    said: str
    certain_day: str = ""


def trust_of(
    public_key: Path | None, accepted: Path | None = None, taken: Path | None = None
) -> MapTrust | None:
    """Of the setting `map_public_key` or the option `--map-public-key`. Raises InputError."""
    if public_key is None:
        return None
    return MapTrust(read_public_keys(public_key), accepted, taken)


def find_pack(path: Path, trust: MapTrust | None, unix_s: float | None = None) -> FoundPack:
    """unix_s: now, by the machine's clock (default: as it stands).

    Raises InputError: no pack, a manifest that is none; and with a trust: not signed, signed by
    another key, altered, older than one that this machine accepted, expired and not the map
    that this machine flew with since it was started.
    """
    data = manifest_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if trust is None:
        told, said = _unchecked(path)
        return FoundPack(path, parse_manifest(data, path), digest, told, False, said)
    signature = check_signature(path, data, trust.keys)
    signed = signature.signed
    accepted = AcceptedMaps() if trust.accepted is None else read_accepted(trust.accepted)
    clock = utc_day(time.time() if unix_s is None else unix_s)
    today = MapDay(signed, clock, accepted.certain_day, trust.accepted)
    flown = trust.taken is not None and was_taken(trust.taken, signature)
    expired = _check_day(path, today, flown)
    accepted.check(path, signed)
    manifest = parse_manifest(data, path)
    if manifest.name != signed.pack:
        raise InputError(
            f"{path / MANIFEST_NAME}: the pack is named '{manifest.name}', its signature is of "
            f"'{signed.pack}'; sign it again"
        )
    said = _checked(signed, clock) + today.doubt
    if trust.accepted is not None:
        said += _after(accepted.newest(signed.pack), signed)
    said += expired
    return FoundPack(path, manifest, digest, signature, True, said, today.to_keep)


def take(found: FoundPack, trust: MapTrust | None) -> None:
    """After all its files proved good: from now on no older pack of its name is accepted.

    Raises InputError as `accept` does.
    """
    if found.trusted and found.signature and trust and trust.accepted:
        accept(trust.accepted, found.path, found.signature.signed, found.certain_day)
        if trust.taken:
            keep_taken(trust.taken, found.signature)


def _check_day(path: Path, today: MapDay, flown: bool) -> str:
    """What is to be said of a map that expired and is flown on with; else ''."""
    if today.in_force:
        return ""
    by, mend = today.by
    expired = f"expired on {today.signed.expires}, today is {today.day} by {by}"
    if flown:
        return f"; it {expired}: flown on with, as it was taken since this machine was started"
    raise InputError(f"{path}: its signature {expired}; sign it again ('pilotage map sign'){mend}")


def _checked(signed: Signed, clock: str = "") -> str:
    """clock: told where there is an end, for a person to see when it is wrong."""
    until = f"until {signed.expires}" if signed.expires else "without end"
    if signed.expires and clock:
        until += f" (this machine's clock says {clock})"
    return f"signed by key {signed.key_id} as '{signed.pack}', serial {signed.serial}, {until}"


def _after(last: Accepted | None, signed: Signed) -> str:
    """Serials count by name: of one that was never here, no older pack can be told."""
    if last is None:
        return f"; no map named '{signed.pack}' was taken here before"
    return f"; newer than serial {last.serial} taken before" if signed.serial > last.serial else ""


def _unchecked(path: Path) -> tuple[PackSignature | None, str]:
    try:
        signature = read_signature(path)
    except InputError:
        return None, f"{SIGNATURE_NAME} is damaged, {NOT_CHECKED}"
    if signature is None:
        return None, f"not signed, {NOT_CHECKED}"
    told = _checked(signature.signed)
    return signature, f"{told}, so it says; {NOT_CHECKED}"
