"""The camera: there, as its file says, and seeing something."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from onboard.messages import Frame
from onboard.picture_quality import MAX_BLUR, blur_measure, check_picture
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

LOOKED_AT_PX = 512  # of the longer side: near the map's own pixel size in flight
MIN_RATE_SHARE = 0.8
GLARE_LEVEL, GLARE_SHARE = 250, 0.3


def camera_file(subject: Subject) -> Finding:
    camera = subject.camera_file.get()
    fx, _ = camera.focal_px
    fov_deg = 2 * np.degrees(np.arctan(camera.width_px / 2 / fx))
    said = f"{camera.width_px}x{camera.height_px} px, {fov_deg:.0f} degrees wide"
    if not 15.0 <= fov_deg <= 130.0:
        return warning(f"{said}: hardly a lens", "pilotage calibrate board PICTURES")
    pitch_deg = camera.mounting.pitch_deg
    if not camera.mounting.stabilised and pitch_deg == 0.0:
        return good(f"{said}, with its own attitude (a gimbal that reports it)")
    if pitch_deg > -45.0:
        return warning(
            f"{said}, but mounted at {pitch_deg:g} degrees of pitch: it looks to the horizon",
            "[mounting] pitch_deg = -90 looks straight down",
        )
    return good(f"{said}, pitch {pitch_deg:g} degrees")


def opens(subject: Subject) -> Finding:
    look = subject.camera.get()
    if not look.frames:
        why = look.health.problem or "no frame came"
        return failure(f"{look.uri} opens but gives no picture: {why}", "see its cable and format")
    return good(f"{look.uri} gives pictures")


def rate(subject: Subject) -> Finding:
    look = subject.camera.needed()
    wanted_hz = subject.settings.needed().frame_hz
    if look.count < 2 or look.arrived_s <= 0.0:
        raise NotAsked("fewer than two frames came")
    hz = (look.count - 1) / look.arrived_s
    said = f"{hz:.1f} frames a second come, {wanted_hz:g} are wanted"
    if hz < MIN_RATE_SHARE * wanted_hz:
        return warning(said, f"frame_hz = {hz:.1f}, or set the camera to a faster mode")
    return good(said)


def size(subject: Subject) -> Finding:
    picture, camera = _picture(subject), subject.camera_file.needed()
    height_px, width_px = picture.shape[:2]
    try:
        camera.for_size(width_px, height_px)
    except ValueError as e:
        return failure(str(e).partition("; ")[0], "give a camera file for this picture mode")
    said = f"pictures are {width_px}x{height_px} px"
    if (width_px, height_px) != (camera.width_px, camera.height_px):
        return good(f"{said}, the camera file's scaled as a whole")
    return good(f"{said}, as the camera file says")


def light(subject: Subject) -> Finding:
    picture = _picture(subject)
    refusal = check_picture(replace(subject.camera.needed().frames[-1], image=picture))
    if refusal is not None:
        return warning(
            f"{refusal.reason.value}: {refusal.detail}", "take the lens cap off, or wait for light"
        )
    glaring = float((picture.min(axis=2) >= GLARE_LEVEL).mean())
    if glaring > GLARE_SHARE:
        return warning(f"{glaring:.0%} of the picture is white", "shorten the exposure")
    return good("bright enough, and not too bright")


def focus(subject: Subject) -> Finding:
    """On a bench the camera may well look at a blank wall: never more than a warning."""
    picture = _picture(subject)
    scale = LOOKED_AT_PX / max(picture.shape[:2])
    if scale < 1.0:
        picture = np.asarray(
            cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    blur = blur_measure(picture, np.ones(picture.shape[:2], np.bool_))
    if blur > MAX_BLUR:
        return warning(
            f"the picture is blurred ({blur:.2f}, usable is up to {MAX_BLUR}), or shows nothing",
            "focus the lens on something far off",
        )
    return good(f"sharp enough ({blur:.2f}, usable is up to {MAX_BLUR})")


def lively(subject: Subject) -> Finding:
    """Noise alone makes two pictures of a live sensor differ."""
    frames = subject.camera.needed().frames
    if len(frames) < 2:
        raise NotAsked("fewer than two frames came")
    if _same(*frames[-2:]):
        return warning(
            "two pictures in a row are the same to the bit", "see whether the camera hangs"
        )
    return good("pictures change")


def _picture(subject: Subject) -> np.ndarray:
    frames = subject.camera.needed().frames
    image = frames[-1].image if frames else None
    if image is None:
        raise NotAsked("no picture came")
    return image


def _same(a: Frame, b: Frame) -> bool:
    return a.image is not None and b.image is not None and np.array_equal(a.image, b.image)


CHECKS = (
    Check("camera.file", camera_file, of_flight=True),
    Check("camera.opens", opens, of_flight=True),
    Check("camera.rate", rate, of_flight=True),
    Check("camera.size", size, of_flight=True),
    Check("camera.light", light, of_flight=True),
    Check("camera.focus", focus, of_flight=True),
    Check("camera.lively", lively, of_flight=True),
)
