"""A camera's address as settings and the command line give it: `camera = "..."`.

| address | what |
| --- | --- |
| `/dev/video0`, `v4l2:0` | V4L2; `?width=1280&height=720&fps=30&fourcc=MJPG&latency_ms=40` |
| `csi:0` | a Jetson's CSI camera; `?width=1920&height=1080&fps=30&flip=2&latency_ms=60` |
| `gst:PIPELINE` | any GStreamer pipeline, as it stands |
| `rtsp://...`, `udp://...` | H.264 or H.265; ours after a `#`: `#transport=udp&latency_ms=200` |
| a video file | `?speed=1`: the recorded pace; `?speed=0`: every frame, as fast as asked |
| a folder of pictures | named by nanoseconds, or `?fps=2`; `speed` as above |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from onboard.errors import InputError, nearest_known


class Kind(str, Enum):
    """Of a source; each has its file beside this one."""

    V4L2 = "v4l2"
    CSI = "csi"
    GSTREAMER = "gst"
    STREAM = "stream"
    VIDEO_FILE = "video file"
    FOLDER = "folder"


@dataclass(frozen=True)
class CameraAddress:
    """target: device path, sensor number, pipeline, URL or path. name: for people and logs,
    without a password that the URL may hold."""

    kind: Kind
    target: str
    name: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)


SIZE = {"width": (16.0, 16_384.0), "height": (16.0, 16_384.0), "fps": (0.1, 1000.0)}
LATENCY = {"latency_ms": (0.0, 5000.0)}
SPEED = {"speed": (0.0, 100.0)}
NUMBERS: dict[Kind, dict[str, tuple[float, float]]] = {
    Kind.V4L2: {**SIZE, **LATENCY},
    Kind.CSI: {**SIZE, **LATENCY, "flip": (0.0, 7.0)},
    Kind.GSTREAMER: {},
    Kind.STREAM: LATENCY,
    Kind.VIDEO_FILE: SPEED,
    Kind.FOLDER: {**SPEED, "fps": (0.001, 1000.0)},
}
WORDS: dict[Kind, dict[str, str]] = {  # pattern a word must match
    Kind.V4L2: {"fourcc": r"[A-Za-z0-9 ]{4}"},
    Kind.STREAM: {"transport": r"tcp|udp"},
}
STREAM_SCHEMES = ("rtsp", "rtsps", "udp")
EXAMPLES = "/dev/video0, csi:0, rtsp://10.0.0.5/stream, udp://0.0.0.0:5600, a video file, a folder"


def parse_address(text: str) -> CameraAddress:
    """Raises InputError: no such kind of camera, an unknown option or one out of range, no
    such file or folder."""
    if not text.strip() or not text.isprintable():
        raise InputError(f"camera {text!r} names none; give one of {EXAMPLES}")
    scheme, _, rest = text.partition(":")
    if scheme == "sim":
        raise InputError(f"camera '{text}': the simulator brings its own; run 'pilotage sim'")
    if scheme == "gst":
        return _gstreamer(text, rest)
    if scheme in STREAM_SCHEMES and rest.startswith("//"):
        return _stream(text)
    if scheme in ("v4l2", "csi"):
        target, _, options = rest.partition("?")
        if scheme == "csi":
            return _sensor(text, target, options)
        return _device(text, f"/dev/video{target}" if target.isdecimal() else target, options)
    if text.startswith("/dev/"):
        target, _, options = text.partition("?")
        return _device(text, target, options)
    return _path(text)


def _gstreamer(text: str, pipeline: str) -> CameraAddress:
    if not pipeline.strip():
        raise InputError(f"camera '{text}' has no pipeline; write gst:v4l2src ! ... ! appsink")
    return CameraAddress(Kind.GSTREAMER, pipeline.strip(), text)


def _sensor(text: str, target: str, options: str) -> CameraAddress:
    if not target.isdecimal():
        raise InputError(f"camera '{text}': '{target}' is no sensor number; write csi:0")
    return CameraAddress(Kind.CSI, target, text, *_options(Kind.CSI, text, options))


def _device(text: str, target: str, options: str) -> CameraAddress:
    if not target.startswith("/dev/"):
        raise InputError(f"camera '{text}' is no device; write /dev/video0 or v4l2:0")
    return CameraAddress(Kind.V4L2, target, target, *_options(Kind.V4L2, text, options))


def _stream(text: str) -> CameraAddress:
    url, _, options = text.partition("#")
    name = re.sub(r"//[^/]*@", "//***@", url)  # a password has no business in a log
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as e:
        raise InputError(f"camera '{name}' is no address ({e}); write udp://0.0.0.0:5600") from e
    if not host and parts.scheme != "udp":
        raise InputError(f"camera '{name}' names no host; write rtsp://10.0.0.5:554/stream")
    if parts.scheme == "udp" and not port:
        raise InputError(f"camera '{name}' names no port; write udp://0.0.0.0:5600")
    return CameraAddress(Kind.STREAM, url, name, *_options(Kind.STREAM, name, options))


def _path(text: str) -> CameraAddress:
    path = text.removeprefix("file:")
    options = ""
    if not _exists(path):
        path, _, options = path.rpartition("?")
    if not path or not _exists(path):
        raise InputError(f"camera '{text}': no such file, folder or device; give one of {EXAMPLES}")
    kind = Kind.FOLDER if Path(path).is_dir() else Kind.VIDEO_FILE
    return CameraAddress(kind, path, path, *_options(kind, text, options))


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):  # a name too long for any file, say
        return False


def _options(kind: Kind, where: str, text: str) -> tuple[dict[str, float], dict[str, str]]:
    known_numbers, known_words = NUMBERS[kind], WORDS.get(kind, {})
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        at = f"camera '{where}'"
        if key in known_numbers:
            low, high = known_numbers[key]
            numbers[key] = _number(value, low, high, f"{at}: {key}")
        elif key in known_words:
            if not re.fullmatch(known_words[key], value):
                raise InputError(f"{at}: {key} is {value!r}; it must match {known_words[key]}")
            words[key] = value
        else:
            known = (*known_numbers, *known_words)
            raise InputError(f"{at}: unknown option '{key}'; {nearest_known(key, known)}")
    return numbers, words


def _number(text: str, low: float, high: float, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InputError(f"{where} is {text!r}; give a number from {low:g} to {high:g}")
    return value
