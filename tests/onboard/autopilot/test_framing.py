"""Frames out of bytes, whole, broken and made up."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.framing import FrameSplitter


def frames(count: int, first: int = 0, version_1: bool = False) -> list[bytes]:
    encoder = mavlink.MAVLink(None, 1, 1)
    found = []
    for i in range(first, first + count):
        message = mavlink.MAVLink_attitude_message(i, 0.1, 0.2, 0.3, 0.0, 0.0, 0.0)
        found.append(bytes(message.pack(encoder, force_mavlink1=version_1)))
        encoder.seq = (encoder.seq + 1) % 256
    return found


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.booleans())
def test_pieces_do_not_matter(cuts: list[int], version_1: bool) -> None:
    sent = frames(5, version_1=version_1)
    data, splitter, found = b"".join(sent), FrameSplitter(), []
    for size in cuts:
        found += splitter.split(data[:size])
        data = data[size:]
    found += splitter.split(data)
    assert [bytes(f.data) for f in found] == sent
    assert splitter.bad_bytes == 0
    assert found[0][:4] == (1, 1, mavlink.MAVLINK_MSG_ID_ATTITUDE, False)


@given(st.binary(max_size=600), st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes_are_survived_and_good_frames_found_behind_them(
    junk: bytes, more: list[bytes]
) -> None:
    splitter = FrameSplitter()
    for piece in [junk, *more]:
        splitter.split(piece)
    found = []
    for frame in frames(12):  # longer than the longest frame that the junk can promise
        found += splitter.split(frame)
    assert [bytes(f.data) for f in found][-1:] == frames(12)[-1:]
    assert len(found) == 12


def test_one_damaged_byte_costs_one_message() -> None:
    noise = random.Random(3)
    for _ in range(300):
        sent = frames(20)
        data = bytearray(b"".join(sent))
        at = noise.randrange(len(data) - 400)
        data[at] ^= 1 << noise.randrange(8)
        splitter = FrameSplitter()
        assert len(splitter.split(bytes(data))) >= 18  # a flip in the length may hide one more


def test_what_waits_is_bounded() -> None:
    splitter = FrameSplitter()
    for _ in range(1000):
        splitter.split(bytes([0xFD, 0xFF, 0x00]) * 100)
    assert len(splitter._buffer) < 300


def test_splitting_is_quick() -> None:
    data = b"".join(frames(2000))
    begin = time.process_time()
    assert len(FrameSplitter().split(data)) == 2000
    assert time.process_time() - begin < 0.5  # 250 us a message; it takes a few
