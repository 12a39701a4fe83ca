"""At which level and height a map is checked, and with which camera."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from maps.plan import parse_agl
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m
from onboard.messages import TILE_PX
from onboard.pack.map_pack import MapPack
from onboard.rectify import choose_level
from onboard.settings import load_settings
from tools.doctor.map_checks import NATIVE_SHARE

PLAIN_CAMERA = Camera(640, 480, fx=480.0)  # 67 degrees wide, 4:3, looking straight down
FILLED = 0.9  # of a view's side by the picture's shorter one, where no height is given


@dataclass(frozen=True)
class Setting:
    """notes: what was assumed, a sentence each."""

    level: int
    agl_m: float
    camera: Camera
    notes: tuple[str, ...]


def setting_of(args: argparse.Namespace, pack: MapPack, mission_agl_m: float | None) -> Setting:
    """args: camera, agl_m. Of several heights the lowest, which sees least; the level is the
    one that flight would choose there. Raises InputError: a wrong camera file or height, one
    from which the camera sees less than the views, which are taken out of the map, show."""
    notes = []
    camera = PLAIN_CAMERA
    if args.camera is not None:
        camera = load_settings(args.camera, Camera)
    else:
        notes.append("no --camera: one of 67 degrees, 4:3, looking straight down was assumed")
    agl_m = mission_agl_m if args.agl_m is None else parse_agl(args.agl_m)[0]
    lat_deg = pack.centre[0]
    if agl_m is not None:
        level = choose_level(pack.levels, agl_m, camera, lat_deg)
        _refuse_too_high(agl_m, camera, pixel_size_m(lat_deg, level)[0], level)
        return Setting(level, agl_m, camera, tuple(notes))
    level = max(pack.levels)
    (fx, fy) = camera.focal_px
    shorter = min(camera.width_px / fx, camera.height_px / fy)
    agl_m = FILLED * TILE_PX * pixel_size_m(lat_deg, level)[0] / shorter
    notes.append(
        f"no --agl-m: {agl_m:.0f} m above ground was assumed, for the pack's finest level {level}"
    )
    return Setting(level, agl_m, camera, tuple(notes))


def _refuse_too_high(agl_m: float, camera: Camera, ground_m: float, level: int) -> None:
    seen_m = agl_m / camera.focal_px[0]
    if seen_m > NATIVE_SHARE * ground_m:
        raise InputError(
            f"at {agl_m:.0f} m above ground a pixel of the camera covers {seen_m:.2g} m, of the "
            f"map's level {level} {ground_m:.2g} m; build coarser levels: 'pilotage map build' "
            f"with --agl-m {agl_m:.0f}"
        )
