"""From a camera's address to an open camera."""

from __future__ import annotations

from onboard.camera import Camera
from onboard.cameras.address import CameraAddress, Kind, parse_address
from onboard.cameras.at_pace import AtPace
from onboard.cameras.contract import FrameSource
from onboard.cameras.device import Device
from onboard.cameras.gstreamer import open_gstreamer, require_gstreamer
from onboard.cameras.live import LiveCamera
from onboard.cameras.picture_folder import PictureFolder
from onboard.cameras.played import PlayedCamera
from onboard.cameras.stream import open_stream
from onboard.cameras.v4l2 import open_v4l2
from onboard.cameras.video_file import VideoFile

RECORDED_PACE = 1.0


def open_camera(uri: str, frame_hz: float, camera: Camera | None = None) -> FrameSource:
    """uri: see `address`. frame_hz: at most so many frames a second. camera: the camera file's,
    to say at once when the pictures are of another size.

    A device or stream that isn't there is no error but the source's health: it is looked for
    until it is. A recording plays at its pace (`speed`), its frames stamped as if they were
    taken now; with `speed=0` every frame is handed out, stamped with the recording's times.

    Raises InputError: a wrong address, a file that is no video, no pictures in a folder, no
    GStreamer in this OpenCV.
    """
    address = parse_address(uri)
    if address.kind in (Kind.VIDEO_FILE, Kind.FOLDER):
        return _recording(address, frame_hz, camera)
    if address.kind in (Kind.CSI, Kind.GSTREAMER):
        require_gstreamer(address)
    latency_ms = address.numbers.get("latency_ms")
    return LiveCamera(
        address.name,
        lambda: _open_device(address),
        frame_hz,
        camera=camera,
        latency_ns=None if latency_ms is None else round(latency_ms * 1e6),
    )


def _open_device(address: CameraAddress) -> Device:
    if address.kind is Kind.V4L2:
        return open_v4l2(address)
    if address.kind is Kind.STREAM:
        return open_stream(address)
    return open_gstreamer(address)


def _recording(address: CameraAddress, frame_hz: float, camera: Camera | None) -> FrameSource:
    speed = address.numbers.get("speed", RECORDED_PACE)
    recording: Device = (
        PictureFolder(address) if address.kind is Kind.FOLDER else VideoFile(address)
    )
    if speed == 0.0:
        return PlayedCamera(address.name, recording, frame_hz)
    paced = AtPace(recording, speed)
    return LiveCamera(
        address.name, lambda: paced, frame_hz * speed, camera=camera, comes_back=False
    )
