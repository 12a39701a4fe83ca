"""Opens the ground of an integrity study: a pack's tiles, other imagery, the procedural world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maps.build import BuildRequest, build_pack
from maps.pixels import blank_fill, mask_of
from maps.sources.open_imagery import open_imagery
from maps.sources.source import WORLD_M, Source
from maps.world.epoch import Epoch, random_epoch
from maps.world.landscape import Landscape
from maps.world.perspective import render_perspective
from maps.world.survey import write_survey
from onboard.camera import Camera
from onboard.geodesy import enu_offset_m, pixel_to_latlon
from onboard.messages import TILE_PX, Picture
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.telemetry_messages import Attitude
from tools.integrity_ground import MIN_SHOWN_SHARE, Bounds, FlatImagery, Ground

OWN, WORLD = "pack", "world "
WORLD_SIZE_M, WORLD_GSD_M = 1600.0, 0.4
WORLD_BORDER_M = 150.0  # no vehicle nearer to the world's end
WORLD_LEVELS = (17, 18)
SURVEYED = Epoch(seed=2023, sun_azimuth_deg=140.0, sun_elevation_deg=55.0, haze=0.08)
SURVEY_LEAN = (0.12, -0.16)  # a satellite 11 deg off nadir
CASES_AN_EPOCH = 40  # frames of one season and light; making another takes seconds


def open_ground(imagery: str, pack: MapPack) -> Ground:
    """imagery: as `integrity_study.Study` has it. Raises InputError as `open_imagery` does."""
    finest = max(pack.levels)
    if imagery == OWN:
        return FlatImagery(pack.path.name, (pack.bounds,), finest, pack.picture)
    if imagery.startswith(WORLD):
        return World(imagery, landscape_of(int(imagery.removeprefix(WORLD))))
    sources = [s for group in open_imagery([Path(imagery)]) for s in group]
    level = max(finest, round(max(s.native_level for s in sources)))
    return FlatImagery(Path(imagery).name, tuple(map(_bounds, sources)), level, Laid(sources))


def landscape_of(seed: int) -> Landscape:
    """A procedural world; its name in a study is 'world SEED'."""
    return Landscape(seed, WORLD_SIZE_M, WORLD_GSD_M, 47.2, 8.5, seed % 3)


def world_pack(seed: int, out: Path, levels: tuple[int, ...] = WORLD_LEVELS) -> Path:
    """The map pack of a procedural world, made in `out` unless it is there: a summer's survey,
    seen a little aslant as satellites do."""
    pack = out / f"world_{seed}.pack"
    if not pack.exists():
        landscape = landscape_of(seed)
        survey = write_survey(landscape, SURVEYED, out / "survey", WORLD_GSD_M, SURVEY_LEAN)
        build_pack(BuildRequest((survey,), pack, levels=levels), load_bundle())
    return pack


@dataclass(frozen=True)
class Laid:
    """Sources over one another, later ones on top."""

    sources: list[Source]

    def __call__(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        laid = np.zeros((height, width, 3), np.uint8)
        for source in self.sources:
            if not _touches(source, level, x, y, width, height):
                continue
            picture = blank_fill(source.read(level, x, y, width, height))
            np.copyto(laid, picture, where=mask_of(picture)[:, :, None])
        return laid


@dataclass(frozen=True)
class World:
    """The procedural world with relief and buildings, in a season and light of its own for
    every CASES_AN_EPOCH cases."""

    name: str
    landscape: Landscape
    epoch: Epoch | None = None

    @property
    def areas(self) -> tuple[Bounds, ...]:
        near, far = WORLD_BORDER_M, WORLD_SIZE_M - WORLD_BORDER_M
        (south, west), (north, east) = (self.landscape.latlon(m, m) for m in (near, far))
        return ((south, west, north, east),)

    def on(self, number: int) -> World:
        epoch = random_epoch(np.random.default_rng([number // CASES_AN_EPOCH, 0xE9]))
        return World(self.name, self.landscape, epoch)

    def seen_from(
        self, place: tuple[float, float], agl_m: float, attitude: Attitude, camera: Camera
    ) -> Picture | None:
        assert self.epoch is not None
        origin = self.landscape.latlon(0.0, 0.0)
        east_m, north_m = map(float, enu_offset_m(*origin, *place))
        shot = render_perspective(
            self.landscape, self.epoch, camera, attitude, east_m, north_m, agl_m
        )
        return shot if shot.any(2).mean() >= MIN_SHOWN_SHARE else None


def _touches(source: Source, level: int, x: int, y: int, width: int, height: int) -> bool:
    west, south, east, north = source.bounds_m
    pixel_m, half = WORLD_M / (TILE_PX * 2**level), WORLD_M / 2
    across = west < (x + width) * pixel_m - half and east > x * pixel_m - half
    along = north > half - (y + height) * pixel_m and south < half - y * pixel_m
    return bool(across and along)


def _bounds(source: Source) -> Bounds:
    west_m, south_m, east_m, north_m = source.bounds_m
    side_px = TILE_PX / WORLD_M  # of the whole world at level 0
    north, west = pixel_to_latlon(
        (WORLD_M / 2 + west_m) * side_px, (WORLD_M / 2 - north_m) * side_px, 0
    )
    south, east = pixel_to_latlon(
        (WORLD_M / 2 + east_m) * side_px, (WORLD_M / 2 - south_m) * side_px, 0
    )
    return float(south), float(west), float(north), float(east)
