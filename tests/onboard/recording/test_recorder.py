"""The recorder under trouble: a slow disk, a full one, steps faster than it can write."""

import threading
import time

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.companion import FrameBegun, Handled, Sent, Ticked
from onboard.errors import InputError
from onboard.flight_settings import RecordingSettings
from onboard.messages import Frame, GnssAssessment
from onboard.pack.map_pack import MapPack
from onboard.reasons import GnssState
from onboard.recording import recorder as recorder_module
from onboard.recording.recorder import Recorder
from onboard.recording.session_file import SessionFile
from onboard.telemetry_messages import Attitude
from tests.onboard.hand_made_pack import square_table, write_pack

UNKNOWN = GnssAssessment(0, GnssState.UNKNOWN, 0)


@pytest.fixture
def pack(tmp_path):
    return MapPack.open(write_pack(tmp_path / "area.pack", [square_table(2)]))


def make(tmp_path, pack, **settings) -> Recorder:
    return Recorder(RecordingSettings(tmp_path / "rec", **settings), {"format": 1}, 0, pack)


def wait_until(what, timeout_s=10.0):
    end_s = time.monotonic() + timeout_s
    while not what() and time.monotonic() < end_s:
        time.sleep(0.01)
    return what()


def test_what_is_noted_is_on_the_disk_within_a_second(tmp_path, pack):
    recorder = make(tmp_path, pack)
    before = recorder.health().path.stat().st_size
    recorder.note(Handled(Attitude(1, 0.0, 0.0, 0.0)))
    noted_s = time.monotonic()
    path = recorder.health().path
    assert wait_until(lambda: path.stat().st_size > before)
    took_s = time.monotonic() - noted_s
    recorder.close()
    assert took_s < 3.0  # a busy machine; alone it takes 0.6 s


def test_a_disk_that_hangs_costs_steps_and_no_time(tmp_path, pack, monkeypatch):
    release = threading.Event()
    flush = SessionFile.flush
    recorder = make(tmp_path, pack)
    monkeypatch.setattr(SessionFile, "flush", lambda self: (release.wait(20.0), flush(self)))
    monkeypatch.setattr(recorder_module, "MAX_WAITING", 100)
    time.sleep(0.7)  # until it hangs
    longest_s = 0.0
    for i in range(400):
        begin_s = time.monotonic()
        recorder.note(Handled(Attitude(i, 0.0, 0.0, 0.0)))
        longest_s = max(longest_s, time.monotonic() - begin_s)
    assert recorder.health().lost >= 300 - 1
    assert longest_s < 0.5
    release.set()
    recorder.note(Handled(Attitude(999, 0.0, 0.0, 0.0)))
    recorder.close()
    assert recorder.health().path.read_bytes() != b""


def test_a_write_that_fails_ends_the_recording_and_not_the_flight(tmp_path, pack, monkeypatch):
    def fails(self):
        raise OSError(28, "No space left on device")

    recorder = make(tmp_path, pack)
    monkeypatch.setattr(SessionFile, "flush", fails)
    recorder.note(Handled(Attitude(1, 0.0, 0.0, 0.0)))
    assert wait_until(lambda: recorder.health().problem)
    assert "No space left" in recorder.health().problem
    recorder.note(Handled(Attitude(2, 0.0, 0.0, 0.0)))
    recorder.close()


def test_a_full_folder_is_told_before_the_flight(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(recorder_module, "make_room", lambda *_: "the disk is full")
    with pytest.raises(InputError, match="the disk is full"):
        make(tmp_path, pack)
    assert list((tmp_path / "rec").iterdir()) == []


def test_reaching_the_cap_stops_recording(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(recorder_module, "ROOM_EVERY_S", 0.0)
    recorder = make(tmp_path, pack, max_gb=1e-6)
    for i in range(2000):
        recorder.note(Handled(Attitude(i, i * 0.1, 0.0, 0.0)))
    assert wait_until(lambda: "max_gb" in recorder.health().problem)
    recorder.close()


def test_whole_pictures_are_kept_at_the_rate_asked_for(tmp_path, pack):
    recorder = make(tmp_path, pack, frame_hz=1.0)
    picture = np.full((48, 64, 3), 90, np.uint8)
    kept = []
    keep = recorder._keep
    recorder._keep = lambda step: (kept.append(step), keep(step))
    for i in range(20):
        recorder.note(FrameBegun(i, Frame(i * 200_000_000, picture)))
        time.sleep(0.02)
    recorder.close()
    assert [s.number for s in kept if s.picture is not None] == [0, 5, 10, 15]


def test_a_message_is_packed_when_it_is_sent(tmp_path, pack):
    recorder = make(tmp_path, pack)
    kept = []
    recorder._keep = kept.append
    message = mavlink.MAVLink_statustext_message(4, b"Pilotage: one")
    recorder.note(Ticked(1, None, UNKNOWN))
    recorder.note(Sent(message))
    message.text = b"another"
    recorder.close()
    assert b"Pilotage: one" in kept[1].packed
    assert kept[1].text == "Pilotage: one"
