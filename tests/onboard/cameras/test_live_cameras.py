"""Cameras that come and go: a scripted device, real device nodes, real streams."""

import os
import socket
import stat
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from onboard.cameras import open_camera
from onboard.cameras.address import CameraAddress, Kind
from onboard.cameras.contract import Timing
from onboard.cameras.device import CameraLost
from onboard.cameras.live import LiveCamera
from onboard.cameras.v4l2 import open_v4l2
from tests.onboard.cameras.recorded_pictures import needs_ffmpeg, numbered, sender


class Plugged:
    """A device that gives frames every 5 ms until it is pulled."""

    def __init__(self, frames, timing=Timing.DRIVER, raises=None):
        self.timing = timing
        self.left = frames
        self.raises = raises
        self.closed = False

    def grab(self):
        time.sleep(0.005)
        self.left -= 1
        if self.left < 0 and self.raises:
            raise self.raises
        return self.left >= 0

    def stamp_ns(self):
        return time.monotonic_ns() - 1_000_000

    def picture(self):
        return numbered(1)

    def picture_name(self):
        return ""

    def close(self):
        self.closed = True


def until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_an_unplugged_camera_comes_back():
    script = [
        Plugged(10),
        CameraLost("cam: no such camera; plug it in"),
        Plugged(10, raises=RuntimeError("driver")),
        Plugged(10_000),
    ]
    devices = list(script)

    def plug():
        device = script.pop(0)
        if isinstance(device, Exception):
            raise device
        return device

    source = LiveCamera("cam", plug, 60.0)
    problems = set()
    until(lambda: problems.add(source.health().problem) or source.health().reconnects == 2)
    until(lambda: source.health().problem == "")
    frame = source.newest(1.0)
    health = source.health()
    source.close()
    assert frame.image is not None
    assert frame.camera_id == "cam"
    assert health.timing is Timing.DRIVER
    assert any("no such camera" in p for p in problems)
    assert any("RuntimeError: driver" in p for p in problems)
    assert not source.ended or source.newest(0.1) is None
    assert all(d.closed for d in devices if isinstance(d, Plugged))


def test_an_absent_camera_is_looked_for_without_haste():
    tries = []

    def absent():
        tries.append(time.monotonic())
        raise CameraLost("cam: no such camera")

    source = LiveCamera("cam", absent, 5.0)
    assert source.newest(1.2) is None
    assert not source.ended
    source.close()
    gaps = [b - a for a, b in pairwise(tries)]
    assert 1 <= len(tries) <= 4
    assert all(gap >= 0.3 for gap in gaps)


def test_a_camera_that_hangs_is_said_and_closing_does_not_wait_for_it():
    class Hangs(Plugged):
        def grab(self):
            if self.left == 0:
                time.sleep(20.0)
            return super().grab()

    source = LiveCamera("cam", lambda: Hangs(5), 60.0)
    assert source.newest(2.0) is not None
    until(lambda: "no frame for" in source.health().problem, 5.0)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 3.0


def test_frame_hz_is_kept_by_a_faster_camera():
    source = LiveCamera("cam", lambda: Plugged(400), 20.0)
    times = [source.newest(2.0).time_ns for _ in range(12)]
    source.close()
    rate = 11 / ((times[-1] - times[0]) * 1e-9)
    assert 12.0 < rate < 21.5
    assert source.health().dropped <= 3


def test_a_missing_device_node_is_a_problem_and_no_crash(tmp_path):
    with_node = open_camera("/dev/video97", 5.0)
    until(lambda: with_node.health().problem != "")
    assert "no such camera; plug it in" in with_node.health().problem
    with_node.close()


def test_a_node_that_is_no_camera_is_said():
    source = open_camera("v4l2:/dev/null", 5.0)
    until(lambda: source.health().problem != "")
    assert "cannot be opened as a camera" in source.health().problem
    source.close()


def as_nobody(path):
    """What opening a device says to a user without rights: in a fork, which gives its own up."""
    read_end, write_end = os.pipe()
    if (child := os.fork()) == 0:
        said = "opened"
        try:
            os.setuid(65534)
            open_v4l2(CameraAddress(Kind.V4L2, path, path))
        except BaseException as e:
            said = str(e)
        os.write(write_end, said.encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    return os.read(read_end, 4096).decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device node needs root")
def test_a_forbidden_node_says_which_group():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        node = Path(folder) / "video0"
        try:
            os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except OSError as e:
            pytest.skip(f"this system makes no device nodes ({e.strerror})")
        assert "not allowed; add the user to its group" in as_nobody(str(node))


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@needs_ffmpeg
def test_a_real_stream_is_seen_dies_and_returns():
    url = f"udp://127.0.0.1:{free_port()}"
    source = open_camera(url, 10.0)
    try:
        with sender(url):
            first = source.newest(15.0)
            assert first is not None
            assert first.image.shape == (240, 320, 3)
            times = [source.newest(5.0).time_ns for _ in range(10)]
            assert source.health().timing is Timing.STREAM
            assert all(b > a for a, b in pairwise(times))
            assert 0.0 < (time.monotonic_ns() - times[-1]) * 1e-9 < 2.0
        until(lambda: "gives no more frames" in source.health().problem, 12.0)
        with sender(url):
            until(lambda: source.health().reconnects >= 1, 20.0)
            until(lambda: source.health().problem == "", 20.0)
            assert source.newest(5.0) is not None
    finally:
        source.close()


def test_nobody_sends():
    source = open_camera(f"udp://127.0.0.1:{free_port()}", 5.0)
    until(lambda: "no stream; see to sender" in source.health().problem, 12.0)
    source.close()


def test_garbage_on_the_wire_is_no_crash():
    port = free_port()
    source = open_camera(f"udp://127.0.0.1:{port}", 5.0)
    rng_bytes = os.urandom(1316)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire, suppress(ConnectionError):
        deadline = time.monotonic() + 12.0
        while time.monotonic() < deadline and not source.health().problem:
            with suppress(ConnectionError):
                wire.sendto(rng_bytes, ("127.0.0.1", port))
            time.sleep(0.005)
    assert "no stream" in source.health().problem or "no frame" in source.health().problem
    assert source.newest(0.0) is None
    source.close()
