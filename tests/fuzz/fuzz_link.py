"""Any bytes from the autopilot's wire, as they come and framed with right checksums: a session
survives them, its events are numbers of no later time than their arrival, and it still hears.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from fuzz_runner import fuzz
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.decode import Decoder
from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.parameters import ParameterClient
from onboard.autopilot.session import AutopilotSession
from onboard.autopilot.signing import SigningKey, SigningMavlink
from onboard.autopilot.timesync import TimeSync
from onboard.flight_settings import LinkSettings

KEY = SigningKey(bytes(range(32)))
PIECE = 97  # bytes that arrive together
FRAMED = 0xF7  # the first byte of an input whose rest is payloads
HEARTBEAT = mavlink.MAVLink_heartbeat_message(2, 3, 0x81, 5, 4, 3)
KINDS = [
    getattr(mavlink, f"MAVLink_{name.lower()}_message")
    for name in (*sorted(Decoder(TimeSync())._decoders), "TIMESYNC", "STATUSTEXT")
]


class Wire:
    """A transport that hands out what it was given."""

    bytes_per_s = 5760.0
    is_open = True
    dropped = 0

    def __init__(self, data: bytes) -> None:
        self.left = data

    def send(self, data: bytes) -> None:
        assert 12 <= len(data) <= 280

    def receive(self, timeout_s: float) -> bytes:
        piece, self.left = self.left[:PIECE], self.left[PIECE:]
        return piece

    def answer_sender(self) -> None:
        """Whoever that was."""

    def close(self) -> None:
        """Nothing to close."""


def link_of(data: bytes, key_file: Path | None) -> MavlinkLink:
    link = MavlinkLink(LinkSettings("udpout:127.0.0.1:9", signing_key_file=key_file), clock_ns=tick)
    link._transport.close()
    link._transport = Wire(data)
    return link


_now_ns = 10**12


def tick() -> int:
    """A clock that goes on with every look."""
    global _now_ns
    _now_ns += 3_000_000
    return _now_ns


def framed(payloads: bytes, key: SigningKey | None) -> bytes:
    """Kind, length, payload, and again; in frames of the vehicle's autopilot."""
    sender = SigningMavlink(1, 1, key)
    data = bytearray(beat(key))
    at = 0
    while at + 2 <= len(payloads):
        kind = KINDS[payloads[at] % len(KINDS)]
        size = min(payloads[at + 1], kind.unpacker.size)
        payload = payloads[at + 2 : at + 2 + size] or b"\0"
        at += 2 + size
        blank = kind.__new__(kind)
        mavlink.MAVLink_message.__init__(blank, kind.id, kind.msgname)
        data += blank._pack(sender, kind.crc_extra, payload)
        sender.seq = (sender.seq + 1) % 256
    return bytes(data)


def beat(key: SigningKey | None) -> bytes:
    return SigningMavlink(1, 1, key).packed(HEARTBEAT)


def target(data: bytes) -> None:
    for key, key_file in ((None, None), (KEY, KEY_FILE)):
        is_framed = data[:1] == bytes([FRAMED])
        wire = framed(data[1:], key) if is_framed else data
        link = link_of(wire, key_file)
        session = AutopilotSession(link, own_receiver=1, clock_ns=tick)
        parameters = ParameterClient(link)
        parameters.request("GPS_PRIMARY")
        parameters.write("A", 1.0)
        while link._transport.left:
            hand_on(session, parameters)
        assert link.counts.unsendable == 0
        system = link.system_id or 1
        last = SigningMavlink(system, 1, key, lambda: 4e9)  # 2096, ahead of every stamp
        link._transport.left = b"".join(last.packed(HEARTBEAT) for _ in range(16))
        heard = link.counts.received
        while link._transport.left:
            hand_on(session, parameters)
        assert link.counts.received > heard  # a false start at the end hides 280 bytes at most


def hand_on(session: AutopilotSession, parameters: ParameterClient) -> None:
    for event in session.poll(0.0):
        parameters.hear(event)
        assert event.time_ns <= _now_ns
        numbers = [v for v in vars(event).values() if isinstance(v, float | int)]
        assert all(map(math.isfinite, numbers)), event
    parameters.act(tick())
    assert math.isfinite(session.status.drift_ppm)


def samples() -> list[bytes]:
    sender = SigningMavlink(1, 1)
    messages: list[Any] = [
        HEARTBEAT,
        mavlink.MAVLink_attitude_message(1000, 0.1, 0.2, 3.0, 0.0, 0.0, 0.0),
        mavlink.MAVLink_timesync_message(0, 10**9),
        mavlink.MAVLink_param_value_message(b"GPS_PRIMARY", 0.0, 2, 1, 0),
        mavlink.MAVLink_command_ack_message(511, 0),
    ]
    plain = b"".join(map(sender.packed, messages))
    signed = b"".join(map(SigningMavlink(1, 1, KEY).packed, messages))
    every = bytes([FRAMED]) + b"".join(
        bytes([i, kind.unpacker.size]) + random.Random(i).randbytes(kind.unpacker.size)
        for i, kind in enumerate(KINDS)
    )
    zeros = bytes([FRAMED]) + b"".join(
        bytes([i, kind.unpacker.size]) + bytes(kind.unpacker.size) for i, kind in enumerate(KINDS)
    )
    return [plain, signed, every, zeros, plain + signed, plain * 5]


with tempfile.NamedTemporaryFile(delete=False) as file:  # mode 0600
    file.write(KEY.secret)
KEY_FILE = Path(file.name)

if __name__ == "__main__":
    try:
        status = fuzz(target, samples(), (b"\xfd", b"\xfe", b"\xfd\xff\x00", b"\xf7", bytes(8)))
    finally:
        KEY_FILE.unlink(missing_ok=True)
    sys.exit(status)
