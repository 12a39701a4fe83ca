"""Any bytes as a camera file, a settings file, a camera address: one error sentence or a record."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fuzz_runner import fuzz

from onboard.camera import Camera
from onboard.cameras.address import parse_address
from onboard.errors import InputError
from onboard.flight_settings import FlightSettings
from onboard.rectify import centre_ray
from onboard.settings import load_settings
from onboard.telemetry_messages import Attitude
from tools.calibrate.camera_file import camera_toml

FOLDER = Path(tempfile.mkdtemp())
SAMPLES = (
    b"width_px = 2000\nheight_px = 1125\nfx = 1475.0\nfy = 1475\ncx = 1000.0\ncy = 562.5\n"
    b"distortion = [0.1, -0.2, 0.0, 0.0, 0.3]\nattitude_delay_s = 0.05\n"
    b"[mounting]\nstabilised = true\nroll_deg = 0.5\npitch_deg = -81.0\nyaw_deg = 2.0\n"
    b"sigma_deg = 1.0\n",
    b"width_px = 640\nheight_px = 480\nhorizontal_fov_deg = 80\n",
    b'map = "area.pack"\ncamera = "/dev/video0"\ncamera_file = "cam.toml"\nframe_hz = 5\n'
    b'[link]\naddress = "udpin:0.0.0.0:14550"\nbaud = 57600\nsystem_id = 1\n'
    b'[publish]\noutputs = ["gps_input", "nmea"]\nwhen = "on_loss"\nnmea_address = "x"\n'
    b'[takeover]\nmethod = "gps_primary"\n[gnss]\nuse = false\n'
    b'[recording]\nfolder = "log"\nmax_gb = 4\nframe_hz = 2\n[web]\naddress = "127.0.0.1:8080"\n',
    b"/dev/video0?width=640&height=480&fps=30&fourcc=MJPG&latency_ms=10",
    b"rtsp://user:word@[::1]:554/a?b=c#transport=udp&latency_ms=3",
)
TOKENS = (
    *(b"width_px", b"fx", b"[mounting]", b"distortion", b"1e308", b"\n[[link]]\n", b"0x10"),
    *(b"inf", b"1979-05-27T07:32:00Z", b'"""', b"'''", b"udp://", b"gst:", b"csi:", b"v4l2:"),
)


def one(data: bytes) -> None:
    path = FOLDER / "fuzz.toml"
    path.write_bytes(data)
    for kind in (Camera, FlightSettings):
        try:
            read = load_settings(path, kind)
        except InputError as e:
            assert str(e)
            continue
        if isinstance(read, Camera):
            _use(read)
    try:
        parse_address(data.decode("utf-8", "surrogateescape"))
    except InputError as e:
        assert "\n" not in str(e)


def _use(camera: Camera) -> None:
    """What flight does with an accepted camera; what calibration writes can be read again."""
    camera.ned_from_optical(Attitude(0, 0.1, 0.2, 0.3))
    centre_ray(camera)
    path = FOLDER / "again.toml"
    path.write_text(camera_toml(camera))
    load_settings(path, Camera)


if __name__ == "__main__":
    sys.exit(fuzz(one, SAMPLES, TOKENS))
