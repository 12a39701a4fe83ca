"""Which camera took the photographs, and whose attitude turns it.

A camera file knows both. Without one the lens comes from the photographs' tags, and the
mounting from what they tell of a gimbal:

- real gimbal angles: they are the camera's own attitude;
- gimbal angles that are all zero: there is a gimbal, but its angles were never written; it is
  taken to hold the camera straight down, turned with the nose;
- no gimbal angles: the camera is taken to be fixed to the airframe, looking straight down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from onboard.camera import GIMBAL_REPORTS_ATTITUDE, Camera, Mounting
from onboard.errors import InputError
from onboard.settings import load_settings
from tools.photo_folder import Photo
from tools.photo_tags import PhotoTags

FILM_DIAGONAL_MM = 43.267  # of 36 x 24 mm; EXIF's equivalent focal length compares diagonals
WIDE_ASPECT = 1.6  # wider pictures are cut from a 4:3 sensor of the same width
# Width of the sensor by EXIF model: more exact than the rounded 35-mm equivalent (makers' sheets).
SENSOR_WIDTH_MM = {
    "FC220": 6.17,  # Mavic Pro
    "FC300S": 6.17,  # Phantom 3 Professional
    "FC300X": 6.17,
    "FC330": 6.17,  # Phantom 4
    "FC6310": 13.2,  # Phantom 4 Pro
    "FC7303": 6.17,  # Mini 2
    "L1D-20c": 13.2,  # Mavic 2 Pro
}
MOUNTING_GUESSED = (
    "nobody said how the camera is mounted: what the position is off, and how often by more than "
    "its protection level, includes the camera's unknown angle; give --camera with its mounting, "
    "which 'pilotage calibrate flight' finds"
)
OWN_ATTITUDE_DEG = 30.0  # a mounting this near to none: the Attitude events are the camera's own


def camera_of(photos: Sequence[Photo], path: Path | None) -> tuple[Camera, tuple[str, ...]]:
    """The camera, and a sentence on where it came from; MOUNTING_GUESSED, too, where it is so.

    Raises InputError: a wrong camera file, photographs that tell too little, a camera file
    that asks for the gimbal's angles where there are none.
    """
    usable = [p.tags for p in photos if not p.problem]
    real_gimbal = 2 * sum(t.gimbal is not None for t in usable) > len(usable)
    if path is not None:
        camera = load_settings(path, Camera)
        if turns_with_gimbal(camera) and not real_gimbal:
            raise InputError(
                f"{path}: mounting near 0 asks for the gimbal's own angles, which most of these "
                "photographs do not tell; give the mounting (pitch_deg = -90 looks down)"
            )
        return camera, (f"camera from {path}",)
    tags = next((t for t in usable if focal_px(t)), None)
    if tags is None:
        raise InputError(
            f"{photos[0].path.parent}: the photographs do not tell their focal length "
            "(EXIF FocalLengthIn35mmFilm); give --camera cam.toml"
        )
    guess: tuple[str, ...] = () if real_gimbal else (MOUNTING_GUESSED,)
    if real_gimbal:
        mounting, hung = GIMBAL_REPORTS_ATTITUDE, "turned as the gimbal's angles say"
    elif any(t.gimbal_all_zero for t in usable):
        mounting = Mounting(stabilised=True)
        hung = "in a gimbal whose angles are not real, taken to look straight down"
    else:
        mounting, hung = Mounting(), "taken to be fixed to the airframe, looking straight down"
    try:
        camera = Camera(tags.width_px, tags.height_px, fx=focal_px(tags), mounting=mounting)
    except ValueError as e:
        where = photos[0].path.parent
        raise InputError(f"{where}: the tags tell no camera ({e}); give --camera cam.toml") from e
    said = f"camera from EXIF: {tags.model or 'model unknown'}, {camera.fx:.0f} px, {hung}"
    return camera, (said, *guess)


def turns_with_gimbal(camera: Camera) -> bool:
    """The Attitude events must be the gimbal's, not the airframe's."""
    m = camera.mounting
    return not m.stabilised and max(abs(m.roll_deg), abs(m.pitch_deg)) < OWN_ATTITUDE_DEG


def focal_px(tags: PhotoTags) -> float | None:
    """Focal length in pixels of the picture, None when the tags do not tell."""
    width, height = tags.width_px, tags.height_px
    sensor_mm = SENSOR_WIDTH_MM.get(tags.model)
    if sensor_mm and tags.focal_mm:
        return tags.focal_mm / sensor_mm * width
    if not tags.focal_35mm or not width:
        return None
    landscape = max(width, height) / min(width, height)
    sensor_height = max(width, height) * (3 / 4 if landscape > WIDE_ASPECT else 1 / landscape)
    return tags.focal_35mm / FILM_DIAGONAL_MM * math.hypot(max(width, height), sensor_height)
