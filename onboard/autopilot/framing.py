"""MAVLink frames out of a stream of bytes: MAVLink 1 and 2, by their checksums.

pymavlink's own parser gives up a whole frame's length after a false start, which loses up to
280 good bytes behind one damaged byte, and its buffer grows on a stream that never pauses
between frames. Here the search goes on one byte after a false start.
"""

from __future__ import annotations

from typing import NamedTuple

from pymavlink.dialects.v20 import all as mavlink
from pymavlink.generator.mavcrc import x25crc

MARKER_V1, MARKER_V2 = 0xFE, 0xFD
HEADER_V1, HEADER_V2 = 6, 10  # bytes
CHECKSUM, SIGNATURE = 2, 13
SIGNED = 0x01  # incompatibility flag; a frame with another one can't be read


class RawFrame(NamedTuple):
    """A frame whose checksum is right. data: from marker to checksum or signature."""

    system: int
    component: int
    message_id: int
    is_signed: bool
    data: bytearray


class FrameSplitter:
    """Bytes in any pieces in, whole frames out. bad_bytes counts what belonged to none."""

    def __init__(self) -> None:
        self.bad_bytes = 0
        self._buffer = bytearray()

    def split(self, data: bytes) -> list[RawFrame]:
        frames = []
        self._buffer += data
        buffer, at = self._buffer, 0
        while at < len(buffer):
            if buffer[at] != MARKER_V1 and buffer[at] != MARKER_V2:
                at += 1
                self.bad_bytes += 1
                continue
            length = _frame_length(buffer, at)
            if length is None or at + length > len(buffer):
                break
            frame = _frame(buffer[at : at + length]) if length else None
            if frame is None:
                at += 1
                self.bad_bytes += 1
                continue
            frames.append(frame)
            at += length
        del buffer[:at]
        return frames

    def clear(self) -> None:
        """After a lost connection: what follows belongs to another frame."""
        self.bad_bytes += len(self._buffer)
        self._buffer.clear()


def _frame_length(buffer: bytearray, at: int) -> int | None:
    """Bytes from the marker on; None: not known yet; 0: no frame."""
    if len(buffer) - at < 3:
        return None
    if buffer[at] == MARKER_V1:
        return HEADER_V1 + buffer[at + 1] + CHECKSUM
    flags = buffer[at + 2]
    if flags & ~SIGNED:
        return 0
    return HEADER_V2 + buffer[at + 1] + CHECKSUM + (SIGNATURE if flags else 0)


def _frame(data: bytearray) -> RawFrame | None:
    """None when the checksum is wrong, or the message unknown and so not to be checked."""
    if data[0] == MARKER_V1:
        is_signed, system, component, message_id = False, data[3], data[4], data[5]
    else:
        is_signed, system, component = bool(data[2]), data[5], data[6]
        message_id = data[7] | data[8] << 8 | data[9] << 16
    kind = mavlink.mavlink_map.get(message_id)
    if kind is None:
        return None
    end = len(data) - CHECKSUM - (SIGNATURE if is_signed else 0)
    checked = data[1:end]
    checked.append(kind.crc_extra)
    if x25crc(checked).crc != data[end] | data[end + 1] << 8:
        return None
    return RawFrame(system, component, message_id, is_signed, data)
