"""MAVLink 2 signing: the key, the clock in the signatures, and what is refused.

Time stamps start at the wall clock and follow those that come with a right signature: a
companion without a real-time clock would be locked out otherwise, for an autopilot refuses
what is over a minute behind. They are not kept across restarts: within the second until the
autopilot's next signed message the right time is known again, and an autopilot whose own clock
is behind takes over ours. Signatures are checked here and not by pymavlink, which
lets a forged message move its replay protection ahead and so lock out the true sender.

https://mavlink.io/en/guide/message_signing.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from onboard.errors import InputError

KEY_BYTES = 32
EPOCH_S = 1_420_070_400  # 2015-01-01 in Unix time; stamps count 10 us from there
UNITS_PER_S = 100_000
MAX_NEW_STREAM_LAG = 60 * UNITS_PER_S  # a stream heard first may be this much behind
SIGNATURE_BYTES = 13  # link id, time stamp (6), signature (6)
MAX_STAMP = 2**48 - 1


class SigningKey:
    """32 secret bytes; never shown."""

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError: not 32 bytes, or all zero, which switches signing off."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"is of {len(secret)} bytes instead of {KEY_BYTES}")
        if not any(secret):
            raise ValueError("is all zero, which means no signing")
        self.secret = secret

    def __repr__(self) -> str:
        return "SigningKey(...)"


def read_key(path: Path) -> SigningKey:
    """A file of 32 bytes, or of 64 hexadecimal digits.

    Raises InputError: cannot be read, readable by others, no key.
    """
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o177:
            raise InputError(
                f"{path}: others may read or change this key (mode {mode:04o}); "
                f"run: chmod 600 {path}"
            )
        with path.open("rb") as file:
            data = file.read(4 * KEY_BYTES)
    except OSError as e:
        raise InputError(
            f"{path}: the signing key cannot be read ({e.strerror}); give a file of 32 bytes"
        ) from e
    if len(data) != KEY_BYTES:
        try:
            data = bytes.fromhex(data.decode("ascii"))
        except ValueError:  # the text is not repeated: it may be most of a key
            raise InputError(
                f"{path}: no signing key; give a file of 32 bytes or 64 hexadecimal digits"
            ) from None
    try:
        return SigningKey(data)
    except ValueError as e:
        raise InputError(f"{path}: the signing key {e}; give a file of 32 random bytes") from e


class SigningMavlink(mavlink.MAVLink):  # type: ignore[misc, name-defined, unused-ignore]
    """pymavlink's encoder and decoder, signing what is packed and refusing what is not rightly
    signed, where there is a key."""

    def __init__(
        self,
        system_id: int,
        component_id: int,
        key: SigningKey | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(None, srcSystem=system_id, srcComponent=component_id)
        self.seq: int = 0
        self._wall_s = wall_s
        if key is not None:
            self.signing.secret_key = key.secret
            self.signing.sign_outgoing = True

    def packed(self, message: Any) -> bytes:
        """The frame's bytes; counts the sequence on."""
        if self.signing.sign_outgoing:
            self.signing.timestamp = max(self.signing.timestamp, self._clock())
        data = bytes(message.pack(self))
        self.seq = (self.seq + 1) % 256
        return data

    def check_signature(self, msgbuf: bytearray, srcSystem: int, srcComponent: int) -> bool:
        """Whether the frame is signed with our key and is no old one sent again."""
        signing = self.signing
        digest = hashlib.sha256(signing.secret_key + bytes(msgbuf[:-6])).digest()[:6]
        if not hmac.compare_digest(digest, bytes(msgbuf[-6:])):
            return False
        link_id, stamp = msgbuf[-13], int.from_bytes(msgbuf[-12:-6], "little")
        stream = (link_id, srcSystem, srcComponent)
        newest = signing.stream_timestamps.get(stream)
        if newest is None:
            newest = max(signing.timestamp, self._clock()) - MAX_NEW_STREAM_LAG
        if stamp <= newest:
            return False
        signing.stream_timestamps[stream] = stamp
        signing.timestamp = max(signing.timestamp, stamp)
        return True

    def _clock(self) -> int:
        return min(MAX_STAMP, max(0, round((self._wall_s() - EPOCH_S) * UNITS_PER_S)))
