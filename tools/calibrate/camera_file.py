"""A camera file as `pilotage calibrate` writes it: every number beside what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onboard.camera import Camera
from onboard.whole_file import write_whole


def write_camera_file(
    path: Path, camera: Camera, header: Sequence[str], worth: Mapping[str, str]
) -> None:
    """header: lines of comment at the top. worth: a comment by key (`fx`, `pitch_deg`, ...).

    Raises InputError when the file can't be written.
    """
    write_whole(path, camera_toml(camera, header, worth))


def camera_toml(camera: Camera, header: Sequence[str] = (), worth: Mapping[str, str] = {}) -> str:
    """Text that `load_settings(path, Camera)` reads back as the same camera, to the digits kept."""
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    m = camera.mounting
    distortion = ", ".join(f"{k:.6g}" for k in camera.distortion)
    lens = {
        "width_px": str(camera.width_px),
        "height_px": str(camera.height_px),
        "fx": f"{fx:.2f}",
        "fy": f"{fy:.2f}",
        "cx": f"{cx:.2f}",
        "cy": f"{cy:.2f}",
        "distortion": f"[{distortion}]",
        "attitude_delay_s": f"{camera.attitude_delay_s:.4f}",
    }
    mounting = {
        "stabilised": str(m.stabilised).lower(),
        "roll_deg": f"{m.roll_deg:.3f}",
        "pitch_deg": f"{m.pitch_deg:.3f}",
        "yaw_deg": f"{m.yaw_deg:.3f}",
        "sigma_deg": f"{m.sigma_deg:.3f}",
    }
    lines = [f"# {line}" for text in header for line in text.splitlines()]
    lines += _keys(lens, worth)
    lines += ["", "[mounting]", *_keys(mounting, worth)]
    return "\n".join(lines) + "\n"


def _keys(values: Mapping[str, str], worth: Mapping[str, str]) -> list[str]:
    return [
        f"{key} = {value}" + (f"  # {worth[key]}" if worth.get(key) else "")
        for key, value in values.items()
    ]
