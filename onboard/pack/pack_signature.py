"""`manifest.sig` of a map pack: who vouches for its manifest, and with it for every file.

Ed25519 (RFC 8032) over PREFIX and the JSON of `signed` with sorted keys, no spaces and ASCII
alone. The serial grows with every signature under a pack's name: an aircraft takes none that is
older than the newest it took. Keys are files of their own: PEM, as `openssl pkey` reads them.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.pack.ordinary_file import open_within
from onboard.pack.pack_manifest import MANIFEST_NAME, MOST_NAME_CHARS
from onboard.pack.pack_rules import check_range, check_sha256
from onboard.pack.plain_text import check_plain
from onboard.pack.strict_json import parse_strictly
from onboard.settings import settings_from_table

SIGNATURE_NAME = "manifest.sig"
FORMAT = 1
PREFIX = b"pilotage map signature v1\n"  # a signature made for another purpose counts for nothing
MOST_BYTES = 4096
MOST_KEY_BYTES = 65_536
MOST_SERIAL = (1 << 53) - 1  # exact in every JSON reader
_PUBLIC_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


@dataclass(frozen=True)
class Signed:
    """What is vouched for. issued, expires: UTC days (ISO 8601), the last one included; expires
    None: never. key_id: as `key_id` gives it."""

    pack: str
    manifest_sha256: str
    serial: int
    issued: str
    key_id: str
    expires: str | None = None

    def __post_init__(self) -> None:
        check_plain("pack", self.pack, MOST_NAME_CHARS)
        check_sha256("manifest_sha256", self.manifest_sha256)
        check_range("serial", self.serial, 1, MOST_SERIAL)
        if not re.fullmatch("[0-9a-f]{16}", self.key_id):
            raise ValueError("key_id is not 16 hexadecimal digits")
        for name, day in (("issued", self.issued), ("expires", self.expires)):
            if day is not None and not is_day(day):
                raise ValueError(f"{name} is {day!r}, it must be a day, as 2027-06-01")

    def message(self) -> bytes:
        """The bytes that are signed."""
        table = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return PREFIX + json.dumps(table, sort_keys=True, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True)
class PackSignature:
    """signature: 64 bytes as hexadecimal digits."""

    format: int
    signed: Signed
    signature: str

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format is {self.format}, this Pilotage reads {FORMAT}")
        if not re.fullmatch("[0-9a-f]{128}", self.signature):
            raise ValueError("signature is not 128 hexadecimal digits")


@dataclass(frozen=True)
class PublicKey:
    """id: how sentences and signatures name it. raw: its 32 bytes."""

    id: str
    raw: bytes


def is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def key_id(raw: bytes) -> str:
    """The first 16 hexadecimal digits of the public key's sha256."""
    return hashlib.sha256(raw).hexdigest()[:16]


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """A PEM file with one public key or several, one after another.

    Raises InputError: unreadable, none in it, one that is not Ed25519.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        with path.open("rb") as file:
            data = file.read(MOST_KEY_BYTES)
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); give the public key that "
            "'pilotage map key new' made"
        ) from e
    if b"PRIVATE KEY" in data:
        raise InputError(
            f"{path}: is a private key; keep it off the aircraft and give the public one"
        )
    keys = []
    for pem in _PUBLIC_PEM.findall(data):
        try:
            key = load_pem_public_key(pem)
        except Exception as e:  # whatever the library finds wrong with it
            raise InputError(f"{path}: holds a damaged public key; copy the file again") from e
        if not isinstance(key, Ed25519PublicKey):
            raise InputError(f"{path}: holds a key that is not Ed25519; give one that is")
        raw = key.public_bytes_raw()
        keys.append(PublicKey(key_id(raw), raw))
    if not keys:
        raise InputError(
            f"{path}: holds no public key (PEM); give the one that 'pilotage map key new' made"
        )
    return tuple(keys)


def signature_text(signature: PackSignature) -> str:
    """The file, to the byte: nothing in it can be changed unseen."""
    table = dataclasses.asdict(signature)
    table["signed"] = {k: v for k, v in table["signed"].items() if v is not None}
    return json.dumps(table, indent=1) + "\n"


def read_signature(pack: Path) -> PackSignature | None:
    """None: the pack is not signed. Raises InputError: unreadable, damaged."""
    path = pack / SIGNATURE_NAME
    try:
        with open_within(pack, SIGNATURE_NAME) as file:
            data = file.read(MOST_BYTES + 1)
        table = parse_strictly(data, MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); copy the pack again") from e
    except ValueError as e:
        raise InputError(f"{path}: no signature ({e}); copy the pack or sign it again") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: no signature; copy the pack or sign it again")
    found = settings_from_table(table, PackSignature, str(path))
    if signature_text(found).encode() != data:
        raise InputError(
            f"{path}: is not written as signatures are; copy the pack or sign it again"
        )
    return found


def check_signature(pack: Path, manifest: bytes, keys: Sequence[PublicKey]) -> PackSignature:
    """manifest: the bytes of the pack's manifest, before anything parsed them.

    Raises InputError: not signed, by none of the keys, altered, of another manifest.
    """
    found = read_signature(pack)
    if found is None:
        raise InputError(
            f"{pack}: is not signed, and a public key was given; sign it with 'pilotage map sign'"
        )
    path, signed = pack / SIGNATURE_NAME, found.signed
    key = next((k for k in keys if k.id == signed.key_id), None)
    if key is None:
        known = ", ".join(k.id for k in keys)
        raise InputError(
            f"{path}: is signed by key {signed.key_id}, trusted is {known}; take a pack signed "
            "by that one, or trust the other key, too"
        )
    if not _is_signed_by(key, bytes.fromhex(found.signature), signed.message()):
        raise InputError(
            f"{path}: was altered or forged, key {key.id} did not sign it so; "
            "do not use this pack, get it again from who signed it"
        )
    if hashlib.sha256(manifest).hexdigest() != signed.manifest_sha256:
        raise InputError(
            f"{pack / MANIFEST_NAME}: is not the manifest that {SIGNATURE_NAME} vouches for; it "
            "was changed, or the two are of different packs; copy the pack or sign it again"
        )
    return found


def _is_signed_by(key: PublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True
