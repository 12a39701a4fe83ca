"""Makes keys, and signs packs with them (what a signature is: `onboard.pack.pack_signature`)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from onboard.errors import InputError
from onboard.pack.pack_hashes import check_files
from onboard.pack.pack_manifest import manifest_bytes, parse_manifest
from onboard.pack.pack_signature import (
    FORMAT,
    MOST_KEY_BYTES,
    MOST_SERIAL,
    SIGNATURE_NAME,
    PackSignature,
    Signed,
    is_day,
    key_id,
    read_signature,
    signature_text,
)
from onboard.system_clock import UNIX_S_AT_LEAST, utc_day
from onboard.whole_file import make_folder, write_whole

PRIVATE_NAME, PUBLIC_NAME = "private.pem", "public.pem"


def make_key(place: Path) -> tuple[Path, Path, str]:
    """A new pair: in a folder `private.pem` and `public.pem`; for a name that ends in .pem that
    file and NAME.public.pem beside it. Gives both paths and the key's id.

    Raises InputError: one of them is there already (a key is never overwritten), not writable.
    """
    if place.suffix == ".pem" and not place.is_dir():
        private, public = place, place.with_name(f"{place.stem}.public.pem")
    else:
        private, public = place / PRIVATE_NAME, place / PUBLIC_NAME
    make_folder(private.parent)
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise InputError(f"{path}: exists already; give another place, keys are not replaced")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        file = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(secret)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as e:
        raise InputError(f"{private}: cannot be written ({e.strerror}); choose a place") from e
    write_whole(public, told)
    return private, public, key_id(key.public_key().public_bytes_raw())


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Raises InputError: unreadable, open to others, none in it, encrypted, not Ed25519."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MOST_KEY_BYTES)
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); make a key with 'pilotage map key new'"
        ) from e
    try:
        key = load_pem_private_key(data, None)
    except TypeError as e:
        raise InputError(
            f"{path}: is encrypted; decrypt it for signing (openssl pkey -in ... -out ...)"
        ) from e
    except Exception as e:  # whatever the library finds wrong with it
        raise InputError(
            f"{path}: holds no private key (PEM); give the one that 'pilotage map key new' made"
        ) from e
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: is not an Ed25519 key; make one with 'pilotage map key new'")
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(f"{path}: others may read this private key; chmod 600 it")
    return key


def sign_pack(
    pack: Path,
    key: Ed25519PrivateKey,
    expires: str | None = None,
    serial: int | None = None,
    unix_s: float | None = None,
) -> Signed:
    """Signs a pack all of whose files are as its manifest says; `manifest.sig` appears whole.

    expires: the last UTC day it counts. serial: default the UTC clock in seconds, which grows
    whoever signs and from whatever build, and above the present signature's in any case. unix_s:
    now (default: the machine's clock).

    Raises InputError: the pack is not whole, a day or serial that would be refused in flight.
    """
    now_s = time.time() if unix_s is None else unix_s
    if now_s < UNIX_S_AT_LEAST:  # a serial from it would look old for ever
        raise InputError("this machine's clock was never set; set it, a signature tells its day")
    today = utc_day(now_s)
    if expires is not None and (not is_day(expires) or expires < today):
        raise InputError(f"--expires {expires}: give a day from today on, as 2027-06-01")
    data = manifest_bytes(pack)
    manifest = parse_manifest(data, pack)
    check_files(pack, manifest)
    signed = Signed(
        pack=manifest.name,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        serial=_serial(pack, serial, int(now_s)),
        issued=today,
        key_id=key_id(key.public_key().public_bytes_raw()),
        expires=expires,
    )
    signature = PackSignature(FORMAT, signed, key.sign(signed.message()).hex())
    write_whole(pack / SIGNATURE_NAME, signature_text(signature))
    return signed


def _serial(pack: Path, wanted: int | None, now_s: int) -> int:
    last = 0
    with contextlib.suppress(InputError):  # a damaged signature is replaced
        present = read_signature(pack)
        last = present.signed.serial if present else 0
    serial = max(last + 1, now_s) if wanted is None else wanted
    if not last < serial <= MOST_SERIAL:
        raise InputError(
            f"--serial {serial}: must be above {last}, the present signature's, and at most "
            f"{MOST_SERIAL}; aircraft refuse a serial that does not grow"
        )
    return serial
