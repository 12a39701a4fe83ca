"""How often frames of a place are really found: drawn ones in another season, light and weather
or of another year, photographs, recorded flights rendered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maps.localizability.places import Place, place_at
from maps.world.materials import Season
from onboard.camera import Camera, Mounting
from onboard.errors import InputError
from onboard.geodesy import distance_m, offset_latlon, pixel_size_m
from onboard.localize import Localizer
from onboard.locate import DIFFERENT_PLACE_PX
from onboard.messages import Frame, FrameResult, Picture, Prior
from onboard.pack.map_pack import MapPack
from onboard.telemetry_messages import Attitude, Height
from tools.integrity_frames import draw, judged
from tools.integrity_ground import Bounds, Ground
from tools.integrity_grounds import CASES_AN_EPOCH
from tools.logs.open_log import open_log
from tools.logs.rendered import home_amsl_m, moments, rendered_frames
from tools.logs.with_frames import with_course_as_yaw
from tools.photo_folder import Photo, attitude_of, frame_of, height_of, read_flight
from tools.pose_csv import photo_key
from tools.sim.scenes import Appearance, Sky, imagery_scene
from tools.truth import read_reference

PRIOR_SIGMA_M = 50.0
PHOTO_SEEDS = 5
FLIGHT_HZ = 0.1
SEED = 5
FLIGHT_CAMERA = Camera(1280, 720, fx=1000.0, mounting=Mounting(stabilised=True))
LOOKS = (
    Appearance(Season.WINTER, Sky.HAZE, exposure_s=0.006, blur_px=1.2, noise=8.0, jpeg_quality=60),
    Appearance(Season.DRY, Sky.CLOUDS, blur_px=1.0, noise=6.0, jpeg_quality=60, contrast=0.6),
    Appearance(Season.AUTUMN, Sky.RAIN, blur_px=1.0, noise=10.0, jpeg_quality=50),
)
FENGYUAN_CAMERA = Camera(
    2000, 1125, fx=1475.0, mounting=Mounting(stabilised=True, pitch_deg=-81.0, yaw_deg=2.0)
)
Row = dict[str, Any]


@dataclass(frozen=True)
class _Within:
    """A ground on which vehicles are put into one place only."""

    ground: Ground
    bounds: Bounds

    @property
    def name(self) -> str:
        return self.ground.name

    @property
    def areas(self) -> tuple[Bounds, ...]:
        return (self.bounds,)

    def on(self, number: int) -> _Within:
        return _Within(self.ground.on(number), self.bounds)

    def seen_from(
        self, place: tuple[float, float], agl_m: float, attitude: Attitude, camera: Camera
    ) -> Picture | None:
        return self.ground.seen_from(place, agl_m, attitude, camera)


def drawn_frames(
    ground: Ground,
    pack: MapPack,
    localizer: Localizer,
    places: Sequence[Place],
    rounds: int,
    done: Sequence[Row] = (),
) -> Iterator[Row]:
    """One frame a place and round, with a prior and without. A round is one day: season, light,
    weather and what is told wrongly are drawn alike for all places, so that they differ by
    their ground alone. Rounds with a drawn fault of height, yaw or prior are left out. done:
    rows of a study that was stopped, which are not flown again."""
    known = {(r["row"], r["col"], r["n"]): r for r in done}
    flown = number = 0
    while flown < rounds:
        number += 1
        dressed = ground.on(number * CASES_AN_EPOCH)
        rows = []
        for place in places:
            if (before := known.get((place.row, place.col, number))) is not None:
                rows.append(before)
                yield before
                continue
            within, off_m = _Within(dressed, place.bounds), pack.manifest.map_sigma_m
            try:
                drawn = draw(number, SEED, within, pack, off_m)
            except InputError:
                continue  # the imagery ends here
            if drawn.said["faults"]:
                break
            with_prior, without = judged(drawn, localizer, pack)
            row = _row(place, number, _right(with_prior, place), _right(without, place))
            rows.append(row)
            yield row
        flown += bool(rows)


def _right(row: Row, place: Place) -> bool:
    metres = DIFFERENT_PLACE_PX * pixel_size_m(place.centre[0], place.level)[0]
    return row["refused"] is None and row["centre_error_m"] <= metres


def _row(place: Place, number: int, prior: bool, alone: bool) -> Row:
    return {"row": place.row, "col": place.col, "n": number, "prior": prior, "alone": alone}


def photographs(folder: Path, pack: MapPack, localizer: Localizer) -> Iterator[Row]:
    """Every photograph with its reference, once for each draw of the prior."""
    reference = read_reference(folder)
    noise = np.random.default_rng(1)
    level = max(pack.levels)
    for photo in read_flight(folder, None, None).photos:
        centre = reference.get(photo_key(photo.path.name))
        if centre is None:
            continue
        place = place_at(*centre, level)
        alone = _found(localizer, photo, None, centre, place)
        for number in range(PHOTO_SEEDS):
            lat, lon = photo.tags.lat_deg, photo.tags.lon_deg
            assert lat is not None and lon is not None
            east, north = (float(v) for v in noise.normal(0, PRIOR_SIGMA_M, 2))
            prior = Prior(*offset_latlon(lat, lon, east, north), PRIOR_SIGMA_M)
            right = _found(localizer, photo, prior, centre, place)
            yield _row(place, number, right, alone) | {"photo": photo.name}


def _found(
    localizer: Localizer,
    photo: Photo,
    prior: Prior | None,
    centre: tuple[float, float],
    place: Place,
) -> bool:
    lat = photo.tags.lat_deg or 0.0
    result = localizer.localize(
        frame_of(photo), attitude_of(photo, False), height_of(photo), prior, lat
    )
    return _near(result, centre, place)


def _near(result: FrameResult, centre: tuple[float, float], place: Place) -> bool:
    if result.fix is None:
        return False
    metres = DIFFERENT_PLACE_PX * pixel_size_m(place.centre[0], place.level)[0]
    fix = result.fix
    return distance_m(*centre, fix.centre_lat_deg, fix.centre_lon_deg) <= metres


def recorded_flights(
    logs: Sequence[Path], imagery: Path, pack: MapPack, localizer: Localizer
) -> Iterator[Row]:
    """Recorded ways over imagery in other looks; place: of the vehicle, which the camera sees
    straight below."""
    level = max(pack.levels)
    noise = np.random.default_rng(2)
    for number, look in enumerate(LOOKS):
        for path in logs:
            seen = moments(with_course_as_yaw(open_log(path)), FLIGHT_HZ)
            home_m = home_amsl_m(seen)
            scene = imagery_scene([imagery], look, ground_amsl_m=home_m, seed=number + 1)
            frames = rendered_frames(seen, scene, FLIGHT_CAMERA, home_m, seed=number + 1)
            for moment, frame in zip(seen, frames, strict=True):
                at = moment.lat_deg, moment.lon_deg
                if not pack.contains(*at):
                    continue
                place = place_at(*at, level)
                off = (float(v) for v in noise.normal(0, PRIOR_SIGMA_M, 2))
                prior = Prior(*offset_latlon(*at, *off), PRIOR_SIGMA_M)
                rights = [
                    _vehicle_near(localizer, frame, moment.attitude, moment.agl_m, p, at, place)
                    for p in (prior, None)
                ]
                yield _row(place, number, *rights)


def _vehicle_near(
    localizer: Localizer,
    frame: Frame,
    attitude: Attitude,
    agl_m: float,
    prior: Prior | None,
    at: tuple[float, float],
    place: Place,
) -> bool:
    height = Height(frame.time_ns, agl_m, None, max(2.0, 0.03 * agl_m))
    result = localizer.localize(frame, attitude, height, prior, at[0])
    if result.fix is None:
        return False
    metres = DIFFERENT_PLACE_PX * pixel_size_m(at[0], place.level)[0]
    # The camera's own direction error (1 degree) is no fault of the place.
    return distance_m(*at, result.fix.lat_deg, result.fix.lon_deg) <= metres + 0.05 * agl_m
