"""`pilotage run` as its own process against a real socket: what integrators start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

import tools.run as run_command
from onboard.companion import Companion
from onboard.describe import Describer
from onboard.geodesy import offset_latlon
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import read_manifest
from onboard.recording.reader import Recording, SentStep
from onboard.recording.replay import replay
from tests.tools.autopilot_peer import AutopilotPeer
from tests.tools.small_area import AGL_M, CAMERA, SOUTH_WEST
from tools.cli import main

ALONG_M, YAW_DEG = 100.0, 45.0
FPS = 5
START_S, LAND_S = 60.0, 20.0  # a busy machine of two cores


@dataclass
class Site:
    """A folder with everything that a flight needs."""

    folder: Path

    @property
    def recordings(self) -> list[Path]:
        return sorted((self.folder / "recordings").glob("*.mcap"))

    def settings(self, address: str, **more: str) -> Path:
        values = {
            "map": '"area.pack"',
            "camera": f'"pictures?fps={FPS}"',
            "camera_file": '"cam.toml"',
            "frame_hz": f"{FPS}.0",
            **more,
        }
        lines = [f"{key} = {value}" for key, value in values.items()]
        lines += ["[link]", f'address = "{address}"']
        lines += ["[recording]", 'folder = "recordings"', "frame_hz = 1.0", ""]
        path = self.folder / "flight.toml"
        path.write_text("\n".join(lines))
        return path


@pytest.fixture(scope="module")
def pictures(small_area, tmp_path_factory) -> Path:
    """A minute's hover as a sensor sees it: no two pictures are the same."""
    folder = tmp_path_factory.mktemp("hover") / "pictures"
    folder.mkdir()
    clean = small_area._seen_from(ALONG_M, ALONG_M, YAW_DEG)[:, :, ::-1]
    rng = np.random.default_rng(1)
    for i in range(60 * FPS):
        noisy = clean + rng.normal(0.0, 2.0, clean.shape)
        cv2.imwrite(str(folder / f"{i:04d}.jpg"), np.clip(noisy, 0, 255).astype(np.uint8))
    return folder


@pytest.fixture
def site(small_area, pictures, tmp_path) -> Site:
    (tmp_path / "area.pack").symlink_to(small_area.pack)
    (tmp_path / "pictures").symlink_to(pictures)
    (tmp_path / "cam.toml").write_text(CAMERA)
    return Site(tmp_path)


@pytest.fixture
def peer():
    lat_deg, lon_deg = offset_latlon(*SOUTH_WEST, ALONG_M, ALONG_M)
    with AutopilotPeer(lat_deg, lon_deg, AGL_M, YAW_DEG) as peer:
        yield peer


def start(settings: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.cli", "run", str(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def fixes(peer):
    return [(t, m) for t, m in peer.of("GPS_INPUT") if m.fix_type == 3]


def test_it_flies_ends_with_no_position_and_replays(site, peer, small_area):
    peer.fix_type = 1  # without GNSS from the start: by the pictures alone
    process = start(site.settings(peer.address))
    try:
        found = peer.wait_for(lambda p: len(fixes(p)) >= 20, START_S)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LAND_S)
    finally:
        process.kill()
    assert found, err
    assert process.returncode == 0, err
    assert "runs on" in out and "recording to" in out
    assert "map error: 3 m (1 sigma per axis), assumed: the map does not say" in out
    name = read_manifest(small_area.pack).name
    assert f"map '{name}' in area.pack: " in out and "map signature: not signed" in out
    _, last = peer.of("GPS_INPUT")[-1]
    assert last.fix_type == 1
    good = fixes(peer)[-1][1]
    assert abs(good.lat * 1e-7 - peer.lat_deg) < 5e-5
    assert abs(good.lon * 1e-7 - peer.lon_deg) < 8e-5
    gaps = np.diff([t for t, _ in peer.of("GPS_INPUT")])
    assert np.median(gaps) == pytest.approx(0.1, abs=0.01)
    recording = Recording(site.recordings[0])
    bundle = load_bundle()
    again = replay(recording, MapPack.open(small_area.pack, bundle), Describer(bundle))
    assert again.different == ()
    assert again.ended == ""
    assert again.same >= 40


def test_after_a_kill_it_publishes_again_and_what_was_recorded_replays(site, peer, small_area):
    settings = site.settings(peer.address)
    first = start(settings)
    try:
        flies = peer.wait_for(lambda p: len(p.of("GPS_INPUT")) >= 30, START_S)
        killed_s = time.monotonic()
        first.kill()
        _, err = first.communicate()
        assert flies, err
        heard = len(peer.received)
        sent = len(peer.of("GPS_INPUT"))
        second = start(settings)
        try:
            came = peer.wait_for(
                lambda p: any(m.get_type() == "GPS_INPUT" for _, m in p.received[heard:]), START_S
            )
            took_s = time.monotonic() - killed_s
            second.send_signal(signal.SIGTERM)
            _, err = second.communicate(timeout=LAND_S)
        finally:
            second.kill()
    finally:
        first.kill()
    print(f"published again after {took_s:.2f} s")
    assert came, err
    recording = Recording(site.recordings[0])
    bundle = load_bundle()
    again = replay(recording, MapPack.open(small_area.pack, bundle), Describer(bundle))
    assert again.different == ()
    assert "cut short" in again.ended
    steps = [s for s in recording.steps() if isinstance(s, SentStep)]
    kept = sum(step.name == "GPS_INPUT" for step in steps)
    print(f"the kill cost {(sent - kept) * 0.1:.1f} s of the recording")
    assert sent - kept <= 20  # 10 a second; a second on a machine that isn't as busy as a test's


def test_a_disk_that_cannot_be_written_keeps_nobody_from_flying(site, peer):
    (site.folder / "recordings").write_text("a file where the folder should be")
    process = start(site.settings(peer.address))
    try:
        flies = peer.wait_for(lambda p: len(p.of("GPS_INPUT")) >= 50, START_S)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LAND_S)
    finally:
        process.kill()
    assert flies, err
    assert process.returncode == 0, err
    assert "NOT RECORDING: " in out and "cannot be made" in out
    assert "WARNING recorder: " in err


def test_a_reader_that_goes_away_does_not_end_the_flight(site, peer):
    process = start(site.settings(peer.address))
    process.stdout.close()
    try:
        flies = peer.wait_for(lambda p: len(p.of("GPS_INPUT")) >= 20, START_S)
        process.send_signal(signal.SIGTERM)
        process.wait(LAND_S)
        err = process.stderr.read()
    finally:
        process.kill()
    assert flies, err
    assert process.returncode == 0, err
    assert "Traceback" not in err and "Exception" not in err


def test_a_recording_that_ends_ends_the_flight(site, peer, pictures):
    few = site.folder / "few"
    few.mkdir()
    for path in sorted(pictures.iterdir())[:10]:
        (few / path.name).symlink_to(path)
    process = start(site.settings(peer.address, camera=f'"few?fps={FPS}"'))
    _, err = process.communicate(timeout=START_S)
    assert process.returncode == 0, err
    assert "played to its end" in err
    assert " frames used" in err.splitlines()[-1]
    assert peer.of("GPS_INPUT")[-1][1].fix_type == 1


def test_a_thread_that_fails_ends_the_flight_with_a_sentence(site, peer, capfd, monkeypatch):
    """systemd starts it anew; the process must not linger, so the exit is taken down here."""
    exits = []
    monkeypatch.setattr(run_command.os, "_exit", exits.append)
    monkeypatch.setattr(run_command.signal, "signal", lambda *_: None)
    ticks = Companion.tick

    def fails_later(self, now_ns):
        fails_later.count += 1
        if fails_later.count == 10:
            raise ArithmeticError("the estimate is upside down")
        ticks(self, now_ns)

    fails_later.count = 0
    monkeypatch.setattr(Companion, "tick", fails_later)
    main(["run", str(site.settings(peer.address))])
    assert exits == [1]
    said = capfd.readouterr().err
    assert "the thread 'publisher' failed: ArithmeticError: the estimate is upside down" in said
    assert peer.wait_for(lambda p: p.of("GPS_INPUT"), 5.0)
    assert peer.of("GPS_INPUT")[-1][1].fix_type == 1  # the goodbye


def test_systemd_is_told_ready_watchdog_and_the_end(site, peer):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(site.folder / "notify"))
        manager.settimeout(START_S)
        process = start(site.settings(peer.address), NOTIFY_SOCKET=str(site.folder / "notify"))
        try:
            assert manager.recv(4096) == b"READY=1"
            watchdog, status = manager.recv(4096).decode().split("\n")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LAND_S)
            while (last := manager.recv(4096)).startswith(b"WATCHDOG"):
                pass
        finally:
            process.kill()
    assert watchdog == "WATCHDOG=1"
    assert status.startswith("STATUS=camera: ") and "publisher: " in status
    assert last == b"STOPPING=1"


def test_the_status_page_is_served_while_it_flies(site, peer):
    settings = site.settings(peer.address)
    settings.write_text(settings.read_text() + '[web]\naddress = "127.0.0.1:0"\n')
    process = start(settings)
    try:
        assert process.stdout is not None
        url = next(line.split()[-1] for line in process.stdout if "status page" in line)
        with urllib.request.urlopen(url, timeout=10.0) as page:
            assert b"Pilotage" in page.read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LAND_S)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"map": '"none.pack"'}, "not a map pack"),
        ({"camera_file": '"none.toml"'}, "cannot be read"),
        ({"camera": '"none?fps=2"'}, "no such file"),
        ({"camera": '""'}, "'camera' is missing"),
        ({"frame_hz": "0.0"}, "frame_hz"),
        ({"speed": "1"}, "unknown key 'speed'"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(site, peer, capsys, change, sentence):
    assert main(["run", str(site.settings(peer.address, **change))]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert not site.recordings


def test_a_bad_link_address_is_told_in_a_sentence(site, capsys):
    assert main(["run", str(site.settings("udpout:127.0.0.1:0"))]) == 2
    assert "not HOST:PORT" in capsys.readouterr().err
