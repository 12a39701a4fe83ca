"""GStreamer pipelines, a Jetson's CSI cameras among them, where OpenCV was built with it."""

from __future__ import annotations

import cv2

from onboard.cameras.address import CameraAddress, Kind
from onboard.cameras.capture import Capture
from onboard.cameras.contract import Timing
from onboard.errors import InputError

OPEN_TIMEOUT_MS = 5000
READ_TIMEOUT_MS = 2000
CSI_SIZE_PX = (1920, 1080)
CSI_FPS = 30.0
# The newest buffer only, not held back until its presentation time.
SINK = "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"


def has_gstreamer() -> bool:
    """Whether this OpenCV can open pipelines; the wheels of PyPI can't."""
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def require_gstreamer(address: CameraAddress) -> None:
    """Raises InputError where this OpenCV has no GStreamer."""
    if not has_gstreamer():
        raise InputError(
            f"camera '{address.name}': this OpenCV {cv2.__version__} was built without GStreamer; "
            "remove the pip wheel and use the system's (on a Jetson: apt install python3-opencv, "
            "a venv with --system-site-packages)"
        )


def open_gstreamer(address: CameraAddress) -> Capture:
    """Buffer times are the pipeline's running time. Raises CameraLost."""
    return Capture(
        pipeline_of(address),
        cv2.CAP_GSTREAMER,
        Timing.STREAM,
        settings=[
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS),
        ],
        failed=f"{address.name}: the pipeline does not start; try it with gst-launch-1.0",
    )


def pipeline_of(address: CameraAddress) -> str:
    """The whole pipeline, ending in an appsink that gives BGR."""
    if address.kind is Kind.GSTREAMER:
        text = address.target
        return text if "appsink" in text else f"{text} ! {SINK}"
    numbers = address.numbers
    width = round(numbers.get("width", CSI_SIZE_PX[0]))
    height = round(numbers.get("height", CSI_SIZE_PX[1]))
    rate = round(numbers.get("fps", CSI_FPS))
    flip = round(numbers.get("flip", 0))
    return (
        f"nvarguscamerasrc sensor-id={address.target} ! "
        f"video/x-raw(memory:NVMM),width={width},height={height},framerate={rate}/1 ! "
        f"nvvidconv flip-method={flip} ! video/x-raw,format=BGRx ! {SINK}"
    )
