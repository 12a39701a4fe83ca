"""Signing: key files, clocks that are wrong, frames sent again or forged."""

from pathlib import Path

import pytest
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.signing import EPOCH_S, UNITS_PER_S, SigningKey, SigningMavlink, read_key
from onboard.errors import InputError

KEY = SigningKey(bytes(range(32)))
NOW_S = 1_800_000_000.0
TEXT = mavlink.MAVLink_statustext_message(4, b"Pilotage")


def side(wall_s: float = NOW_S, key: SigningKey | None = KEY, component: int = 1) -> SigningMavlink:
    return SigningMavlink(1, component, key, lambda: wall_s)


def accepts(receiver: SigningMavlink, data: bytes) -> bool:
    """A message of an id that nobody knows is never handed on, see `FrameSplitter`."""
    try:
        return bool(receiver.decode(bytearray(data)).get_type() == "STATUSTEXT")
    except mavlink.MAVError:
        return False


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "data", [KEY.secret, KEY.secret.hex().encode(), KEY.secret.hex().upper().encode() + b"\n"]
)
def test_a_key_file(tmp_path: Path, data: bytes) -> None:
    assert read_key(write(tmp_path / "key", data)).secret == KEY.secret
    assert read_key(write(tmp_path / "strict", data, 0o400)).secret == KEY.secret


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "of 0 bytes"),
        (KEY.secret[:31], "no signing key"),
        (KEY.secret.hex().encode()[:62], "of 31 bytes"),
        (b"zz" * 32, "no signing key"),
        (bytes(32), "all zero"),
        (b"0" * 64, "all zero"),
        (b"a" * 100_000, "64 bytes"),
    ],
)
def test_no_key(tmp_path: Path, data: bytes, said: str) -> None:
    path = write(tmp_path / "key", data)
    with pytest.raises(InputError, match=said) as e:
        read_key(path)
    assert "\n" not in str(e.value)
    assert not data or data[:20].decode("latin-1") not in str(e.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700, 0o644, 0o777])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "key", KEY.secret, mode)
    with pytest.raises(InputError, match="chmod 600"):
        read_key(path)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError):
            read_key(path)


def test_the_key_is_never_shown() -> None:
    assert repr(KEY) == str(KEY) == f"{KEY}" == "SigningKey(...)"
    assert KEY.secret.hex() not in repr(vars(side()))


def test_signed_frames_are_taken_and_others_refused() -> None:
    receiver = side()
    assert accepts(receiver, side().packed(TEXT))
    assert not accepts(receiver, side(key=None).packed(TEXT))
    assert not accepts(receiver, side(key=SigningKey(bytes(32 * [7]))).packed(TEXT))
    assert accepts(side(key=None), side().packed(TEXT))


def test_a_frame_sent_again_is_refused() -> None:
    receiver, sender = side(), side()
    first, second = sender.packed(TEXT), sender.packed(TEXT)
    assert accepts(receiver, first)
    assert accepts(receiver, second)
    assert not accepts(receiver, first)
    assert not accepts(receiver, second)


def test_any_changed_byte_is_refused() -> None:
    data = side().packed(TEXT)
    for at in range(1, len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x10
        assert not accepts(side(), bytes(changed)), at


def test_a_forged_time_stamp_does_not_lock_the_sender_out() -> None:
    receiver, sender = side(), side()
    forged = bytearray(sender.packed(TEXT))
    forged[-12:-6] = b"\xff" * 6
    assert not accepts(receiver, bytes(forged))
    assert accepts(receiver, sender.packed(TEXT))


def test_a_companion_without_a_clock_follows_the_autopilot() -> None:
    companion, autopilot = side(0.0), side(NOW_S)
    early = companion.packed(TEXT)
    assert not accepts(autopilot, early)
    assert accepts(companion, autopilot.packed(TEXT))
    assert accepts(autopilot, companion.packed(TEXT))


def test_an_autopilot_without_a_clock_follows_the_companion() -> None:
    companion, autopilot = side(NOW_S), side(NOW_S - 86_400)
    assert not accepts(companion, autopilot.packed(TEXT))
    assert accepts(autopilot, companion.packed(TEXT))
    assert accepts(companion, autopilot.packed(TEXT))


def test_a_new_stream_may_be_half_a_minute_behind_and_no_more() -> None:
    assert accepts(side(), side(NOW_S - 30).packed(TEXT))
    assert not accepts(side(), side(NOW_S - 70).packed(TEXT))


def test_time_stamps_follow_the_clock_and_never_stand_still() -> None:
    wall = [NOW_S]
    sender = SigningMavlink(1, 197, KEY, lambda: wall[0])

    def stamp() -> int:
        return int.from_bytes(sender.packed(TEXT)[-12:-6], "little")

    first = stamp()
    assert first == round((NOW_S - EPOCH_S) * UNITS_PER_S)
    assert stamp() == first + 1
    wall[0] += 10.0
    assert stamp() == first + 10 * UNITS_PER_S
    wall[0] -= 1000.0
    assert stamp() > first + 10 * UNITS_PER_S
