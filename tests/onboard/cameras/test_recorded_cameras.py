import time

import cv2
import pytest

from onboard.camera import Camera
from onboard.cameras import open_camera
from onboard.cameras.contract import Timing
from onboard.cameras.picture_folder import read_whole_picture
from onboard.cameras.picture_size import declared_size_px
from onboard.errors import InputError
from tests.onboard.cameras.recorded_pictures import SIZE_PX, number_of, numbered, write_video

MS = 1_000_000


def all_frames(source, timeout_s=3.0):
    frames = []
    while (frame := source.newest(timeout_s)) is not None:
        frames.append(frame)
    assert source.ended
    source.close()
    return frames


def write_folder(folder, names):
    folder.mkdir()
    for i, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered(i))
    return folder


def test_a_video_as_fast_as_asked_gives_every_frame_with_the_files_times(tmp_path):
    path = write_video(tmp_path / "flight.avi", 25, fps=20.0)
    source = open_camera(f"{path}?speed=0", 60.0)
    frames = all_frames(source)
    assert [number_of(f.image) for f in frames] == list(range(25))
    assert [round(f.time_ns / MS) for f in frames] == [50 * i for i in range(25)]
    assert source.health().timing is Timing.FILE
    assert source.health().dropped == 0


def test_frame_hz_thins_a_recording_by_its_own_times(tmp_path):
    path = write_video(tmp_path / "flight.avi", 25, fps=20.0)
    frames = all_frames(open_camera(f"{path}?speed=0", 5.0))
    assert [number_of(f.image) for f in frames] == [0, 4, 8, 12, 16, 20, 24]


def test_at_recorded_pace_frames_come_when_they_are_due_on_the_hosts_clock(tmp_path):
    path = write_video(tmp_path / "flight.avi", 21, fps=20.0)
    before_ns = time.monotonic_ns()
    source = open_camera(str(path), 20.0)
    frames, ages_ms = [], []
    while (frame := source.newest(3.0)) is not None:
        ages_ms.append((time.monotonic_ns() - frame.time_ns) / MS)
        frames.append(frame)
    took_s = (time.monotonic_ns() - before_ns) * 1e-9
    assert source.ended
    assert took_s >= 1.0
    assert frames[0].time_ns >= before_ns
    assert (frames[-1].time_ns - frames[0].time_ns) / MS == pytest.approx(
        50 * (number_of(frames[-1].image) - number_of(frames[0].image)), abs=0.01
    )
    assert min(ages_ms) >= 0.0
    assert source.health().frames == 21


def test_the_newest_frame_wins_and_the_others_are_counted(tmp_path):
    path = write_video(tmp_path / "flight.avi", 20, fps=40.0)
    source = open_camera(str(path), 60.0)
    deadline = time.monotonic() + 5.0
    while source.health().frames < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    frame = source.newest(1.0)
    assert number_of(frame.image) == 19
    assert source.health().dropped == 19
    assert source.newest(1.0) is None
    assert source.ended


def test_a_folder_in_natural_order_with_a_rate(tmp_path):
    folder = write_folder(tmp_path / "f", ["b1.png", "b2.png", "b10.png"])
    frames = all_frames(open_camera(f"{folder}?fps=2&speed=0", 60.0))
    assert [f.name for f in frames] == ["b1.png", "b2.png", "b10.png"]
    assert [number_of(f.image) for f in frames] == [0, 1, 2]
    assert [f.time_ns for f in frames] == [0, 500 * MS, 1000 * MS]


def test_a_folder_named_by_nanoseconds_has_its_times(tmp_path):
    start = 1_403_636_579_763_555_584
    names = [f"{start + i * 300 * MS}.png" for i in range(3)]
    folder = write_folder(tmp_path / "f", names)
    frames = all_frames(open_camera(f"{folder}?speed=0", 60.0))
    assert [f.time_ns - start for f in frames] == [0, 300 * MS, 600 * MS]


def test_a_folder_without_times_asks_for_them(tmp_path):
    folder = write_folder(tmp_path / "f", ["a.png"])
    with pytest.raises(InputError, match="say how many pictures a second"):
        open_camera(str(folder), 5.0)


def test_a_broken_picture_is_a_frame_without_one(tmp_path):
    folder = write_folder(tmp_path / "f", ["1.jpg", "2.jpg", "3.png", "4.png", "5.jpg"])
    for name in ("2.jpg", "3.png"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])
    (folder / "4.png").write_bytes(b"garbage" * 100)
    frames = all_frames(open_camera(f"{folder}?fps=1&speed=0", 60.0))
    assert [f.image is not None for f in frames] == [True, False, False, False, True]


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda", b"\x89PNG", b"\0" * 9])
def test_bytes_that_are_no_picture_are_none(tmp_path, data):
    (tmp_path / "x.jpg").write_bytes(data)
    assert read_whole_picture(tmp_path / "x.jpg") is None


def test_a_truncated_video_plays_what_there_is(tmp_path):
    path = write_video(tmp_path / "flight.avi", 25)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = all_frames(open_camera(f"{path}?speed=0", 60.0))
    assert 5 <= len(frames) < 25
    assert [number_of(f.image) for f in frames[:5]] == list(range(5))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"garbage" * 1000])
def test_what_is_no_video_is_one_sentence(tmp_path, data):
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.mp4: no video that can be played"):
        open_camera(str(path), 5.0)


def test_a_picture_of_another_size_than_the_camera_files_is_said(tmp_path):
    path = write_video(tmp_path / "flight.avi", 20, fps=20.0)
    camera = Camera(1920, 1080, fx=1000.0)
    source = open_camera(str(path), 20.0, camera)
    assert source.newest(3.0) is not None
    problem = source.health().problem
    source.close()
    assert "320x240" in problem and "1920x1080" in problem and "\n" not in problem
    right = open_camera(str(path), 20.0, Camera(*SIZE_PX, fx=300.0))
    assert right.newest(3.0) is not None
    assert right.health().problem == ""
    right.close()


def test_the_size_a_picture_claims_is_read_before_it_is_decoded(tmp_path):
    for suffix in (".jpg", ".png"):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), numbered(0, (321, 45)))
        data = path.read_bytes()
        assert declared_size_px(data) == (321, 45)
        for length in range(0, 60):
            assert declared_size_px(data[:length]) in (None, (321, 45))
    huge = data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:]
    assert declared_size_px(huge) == (60_000, 60_000)
    (tmp_path / "huge.png").write_bytes(huge)
    start = time.monotonic()
    assert read_whole_picture(tmp_path / "huge.png") is None
    assert time.monotonic() - start < 0.5
