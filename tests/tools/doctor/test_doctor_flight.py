"""Checks of a flight's map, model, camera and settings, both ways."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from maps.signing import make_key, read_private_key, sign_pack
from onboard.errors import InputError
from onboard.inference.gpu import Gpu
from onboard.pack.pack_manifest import MANIFEST_NAME
from tests.tools.doctor.ready_flight import found, named, outcome, write_ready_flight
from tests.tools.small_area import AGL_M, SmallArea
from tools.doctor import (
    camera_checks,
    gpu_checks,
    map_checks,
    model_checks,
    settings_checks,
)
from tools.doctor.check import Outcome
from tools.doctor.run_checks import look
from tools.doctor.subject import Subject

PASS, WARN, FAIL, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.SKIP
CHECKS = (*map_checks.CHECKS, *model_checks.CHECKS, *camera_checks.CHECKS,
          *settings_checks.CHECKS, *gpu_checks.CHECKS)  # fmt: skip
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, small_area: SmallArea) -> Write:
    return lambda more="": write_ready_flight(tmp_path, small_area, more)


def _outcome(name: str, path: Path, **more: float) -> Outcome:
    return outcome(named(CHECKS, name), Subject(path, **more))


def _change_manifest(flight: Path, change: Callable[[dict], None]) -> None:
    path = flight.parent / "area.pack" / MANIFEST_NAME
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_a_sound_map(write: Write) -> None:
    flight = write()
    for name in ("manifest", "hashes", "model", "index", "fits_camera"):
        assert _outcome(f"map.{name}", flight) is PASS


def test_a_damaged_map(write: Write) -> None:
    flight = write()
    imagery = flight.parent / "area.pack" / "imagery.mbtiles"
    data = bytearray(imagery.read_bytes())
    data[len(data) // 2] ^= 1
    imagery.write_bytes(data)
    assert _outcome("map.hashes", flight) is FAIL
    imagery.write_bytes(data[:-1])
    assert "bytes long" in found(named(CHECKS, "map.hashes"), Subject(flight)).said
    imagery.unlink()
    assert _outcome("map.hashes", flight) is FAIL
    (flight.parent / "area.pack" / MANIFEST_NAME).write_text("{")
    assert _outcome("map.manifest", flight) is FAIL
    assert _outcome("map.hashes", flight) is SKIP  # one failure, said once


def test_nothing_of_a_damaged_map_is_parsed(write: Write) -> None:
    flight = write()
    (flight.parent / "area.pack" / "imagery.mbtiles").write_bytes(b"SQLite format 3\0")
    subject = Subject(flight)
    assert outcome(named(CHECKS, "map.index"), subject) is SKIP
    assert subject.pack.made is None


def test_a_signed_map(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    check = named(CHECKS, "map.signature")
    flight, pack = write(), tmp_path / "area.pack"
    assert "the map is not signed, not checked" in found(check, Subject(flight)).said
    private, public, _ = make_key(tmp_path / "keys")
    flight.write_text(f'{flight.read_text()}map_public_key = "keys/public.pem"\n')
    finding = found(check, Subject(flight))
    assert finding.outcome is FAIL and "is not signed" in finding.said
    assert _outcome("map.index", flight) is SKIP
    sign_pack(pack, read_private_key(private))
    assert found(check, Subject(flight)).said.startswith("the map is signed by key")
    assert _outcome("map.index", flight) is PASS
    assert not (tmp_path / "state").exists()  # a doctor accepts nothing in a flight's place
    _change_manifest(flight, lambda m: m.update(name="other"))
    assert "was changed" in found(check, Subject(flight)).said
    public.unlink()
    assert "public.pem: cannot be read" in found(check, Subject(flight)).said


def test_a_map_too_big_to_hash_in_time(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.doctor.subject.HASHING_S", -1.0)
    assert _outcome("map.hashes", write()) is WARN


def test_an_index_that_misses(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onboard.pack.map_pack.MapPack.nearest", lambda *_: [])
    assert _outcome("map.index", write()) is FAIL


def test_an_index_whose_codes_miss_too_much(write: Write) -> None:
    flight = write()
    _change_manifest(flight, lambda t: t["shards"][0].update(recall=0.5))
    assert _outcome("map.index", flight) is WARN
    assert "0.500 of the nearest" in found(named(CHECKS, "map.index"), Subject(flight)).said


def test_a_map_of_another_model(write: Write) -> None:
    flight = write()
    _change_manifest(flight, lambda t: t["model"].update(sha256="0" * 64))
    assert _outcome("map.model", flight) is FAIL


@pytest.mark.parametrize(
    ("date", "expected"), [("2026-05-01", PASS), ("2014", WARN), ("2014-06-01T10:00", WARN),
                           ("unknown", SKIP)],
)  # fmt: skip
def test_the_age_of_the_imagery(write: Write, date: str, expected: Outcome) -> None:
    flight = write()
    _change_manifest(flight, lambda t: t["imagery"][0].update(date=date))
    assert _outcome("map.age", flight) is expected


def test_a_camera_that_does_not_fit_the_map(write: Write) -> None:
    flight = write()
    assert _outcome("map.fits_camera", flight, agl_m=AGL_M) is PASS
    assert _outcome("map.fits_camera", flight, agl_m=900.0) is FAIL
    (flight.parent / "cam.toml").write_text("width_px = 64\nheight_px = 64\nfx = 9000.0\n")
    assert _outcome("map.fits_camera", flight) is FAIL


def test_the_model(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    flight = write()
    assert _outcome("model.bundle", flight) is PASS
    right, speed = look(named(CHECKS, "model.self_test"), Subject(flight))
    assert right.outcome is PASS and "ms" in speed.said

    def broken(*_: object) -> None:
        raise InputError("cpu answers wrongly; build again")

    monkeypatch.setattr(model_checks, "self_test", broken)
    assert _outcome("model.self_test", flight) is FAIL


def test_a_model_too_slow_for_the_frames(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_checks, "FRAME_IN_DESCRIPTIONS", 1e6)
    _, speed = look(named(CHECKS, "model.self_test"), Subject(write()))
    assert speed.outcome is WARN and "frame_hz" in speed.mend


def test_a_damaged_model(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onboard.model_bundle.load_bundle", _damaged)
    flight = write()
    assert _outcome("model.bundle", flight) is FAIL
    assert _outcome("model.self_test", flight) is SKIP


def _damaged(_: Path) -> None:
    raise InputError("model.onnx: its sha256 is not the one; get the bundle again")


def test_a_good_camera(write: Write) -> None:
    flight = write()
    subject = Subject(flight)
    for check in camera_checks.CHECKS:
        assert outcome(check, subject) is PASS, check.name


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [("light", np.zeros((360, 480, 3), np.uint8), WARN),
     ("light", np.full((360, 480, 3), 255, np.uint8), WARN),
     ("focus", np.full((360, 480, 3), 120, np.uint8), WARN),
     ("lively", np.full((360, 480, 3), 120, np.uint8), WARN),
     ("size", np.full((400, 480, 3), 120, np.uint8), FAIL),
     ("size", np.full((720, 960, 3), 120, np.uint8), PASS)],
)  # fmt: skip
def test_a_camera_that_sees_badly(
    write: Write, name: str, picture: np.ndarray, expected: Outcome
) -> None:
    flight = write()
    for path in (flight.parent / "pictures").iterdir():
        cv2.imwrite(str(path), picture)
    assert _outcome(f"camera.{name}", flight) is expected


def test_a_camera_that_is_not_there(write: Write) -> None:
    flight = write()
    for path in (flight.parent / "pictures").iterdir():
        path.unlink()
    assert _outcome("camera.opens", flight) is FAIL
    for name in ("rate", "size", "light", "focus", "lively"):
        assert _outcome(f"camera.{name}", flight) is SKIP


def test_a_slow_camera(write: Write) -> None:
    flight = write()
    flight.write_text(flight.read_text().replace("fps=5", "fps=2"))
    assert _outcome("camera.rate", flight) is WARN


@pytest.mark.parametrize(
    ("text", "expected"),
    [("width_px = 640\nheight_px = 480\nfx = 500.0\n", PASS),
     ("width_px = 640\nheight_px = 480\nfx = 500.0\n[mounting]\npitch_deg = 0.0\n", PASS),
     ("width_px = 640\nheight_px = 480\nfx = 500.0\n[mounting]\npitch_deg = -20.0\n", WARN),
     ("width_px = 640\nheight_px = 480\nfx = 5.0\n", WARN),
     ("width_px = 640\nheight_px = 480\nfocal = 5.0\n", FAIL), ("width_px = 2\n", FAIL)],
)  # fmt: skip
def test_camera_files(write: Write, text: str, expected: Outcome) -> None:
    flight = write()
    (flight.parent / "cam.toml").write_text(text)
    assert _outcome("camera.file", flight) is expected


def test_settings_files(write: Write) -> None:
    flight = write('[link]\naddress = "udpin:127.0.0.1:14550"\n')
    assert _outcome("settings.file", flight) is PASS
    flight.write_text(flight.read_text().replace("frame_hz", "frames_hz"))
    finding = found(named(CHECKS, "settings.file"), Subject(flight))
    assert finding.outcome is FAIL and "did you mean 'frame_hz'" in finding.mend
    flight.write_text('map = "x"\n')
    assert "camera, camera_file" in found(named(CHECKS, "settings.file"), Subject(flight)).said


def test_signing_keys(write: Write) -> None:
    flight = write('[link]\naddress = "udpin:0.0.0.0:1"\nsigning_key_file = "key"\n')
    key = flight.parent / "key"
    assert _outcome("settings.signing_key", flight) is FAIL
    key.write_bytes(bytes(range(32)))
    key.chmod(0o644)
    finding = found(named(CHECKS, "settings.signing_key"), Subject(flight))
    assert finding.outcome is FAIL and "chmod 600" in finding.mend
    key.chmod(0o600)
    assert _outcome("settings.signing_key", flight) is PASS
    for bad in (b"", bytes(32), b"abc", b"\xff" * 31):
        key.write_bytes(bad)
        assert _outcome("settings.signing_key", flight) is FAIL


def test_web_ports(write: Write, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flight = write(f'[web]\naddress = "127.0.0.1:{port}"\n')
        assert _outcome("web.port", flight) is FAIL
    assert _outcome("web.port", flight) is PASS
    flight.write_text('[web]\naddress = "somewhere"\n')
    assert _outcome("web.port", flight) is FAIL
    flight.write_text("")
    assert _outcome("web.port", flight) is SKIP


def test_a_disk_to_record_on(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = write('[recording]\nfolder = "records"\nmax_gb = 0.001\n')
    usage = settings_checks.shutil.disk_usage(flight.parent)
    monkeypatch.setattr(settings_checks.shutil, "disk_usage", lambda _: _with_free(usage, 9))
    assert _outcome("recording.space", flight) is PASS
    monkeypatch.setattr(settings_checks.shutil, "disk_usage", lambda _: _with_free(usage, 1))
    assert _outcome("recording.space", flight) is FAIL
    assert _outcome("recording.speed", flight) is PASS
    assert not list(flight.parent.glob(".doctor*"))
    monkeypatch.setattr(settings_checks, "LEAST_MB_S", 1e9)
    assert _outcome("recording.speed", flight) is WARN
    flight.write_text(flight.read_text().replace("0.001", "50.0"))
    monkeypatch.setattr(settings_checks.shutil, "disk_usage", lambda _: _with_free(usage, 9))
    assert _outcome("recording.space", flight) is WARN


def _with_free(usage: object, free_gb: float) -> object:
    return usage._replace(free=int(free_gb * 1e9))  # type: ignore[attr-defined]


def test_a_recording_folder_that_can_not_be(write: Write) -> None:
    flight = write('[recording]\nfolder = "cam.toml/records"\n')
    assert _outcome("recording.space", flight) is FAIL
    flight.write_text(flight.read_text().replace("cam.toml/records", "/proc/records"))
    assert _outcome("recording.speed", flight) is FAIL


def test_a_read_only_disk_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = write('[recording]\nfolder = "records"\n')

    def refuses(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    subject = Subject(flight)
    subject.settings.get()
    monkeypatch.setattr(settings_checks.Path, "unlink", refuses)
    monkeypatch.setattr(settings_checks.Path, "open", refuses)
    (speed,) = look(named(CHECKS, "recording.speed"), subject)
    assert speed.outcome is FAIL
    assert "can't be written (Read-only file system)" in speed.said


def test_gpus(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = write()

    def none() -> Gpu:
        raise InputError("no GPU can be used: none; fly with the backend onnxruntime-cpu")

    monkeypatch.setattr(gpu_checks, "first_gpu", none)
    assert _outcome("gpu.driver", flight) is PASS
    for name in ("tensorrt", "pycuda", "engines"):
        assert _outcome(f"gpu.{name}", flight) is SKIP
    flight.write_text(flight.read_text() + '[inference]\nbackend = "tensorrt"\n')
    assert _outcome("gpu.driver", flight) is FAIL
    monkeypatch.setattr(gpu_checks, "first_gpu", lambda: Gpu("Orin", "8.7", "12.6"))
    assert _outcome("gpu.driver", flight) is PASS
    assert _outcome("gpu.engines", flight) is FAIL  # none was built
    monkeypatch.setattr(gpu_checks.importlib.util, "find_spec", lambda _: None)
    assert _outcome("gpu.pycuda", flight) is FAIL
    monkeypatch.setattr(gpu_checks, "import_tensorrt", none)
    assert _outcome("gpu.tensorrt", flight) is FAIL
    flight.write_text(flight.read_text().replace('"tensorrt"', '"auto"'))
    for name in ("tensorrt", "pycuda", "engines"):
        assert _outcome(f"gpu.{name}", flight) is WARN
