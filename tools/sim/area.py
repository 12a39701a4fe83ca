"""Where a simulated flight takes place: what the camera sees, and the map to navigate by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onboard.describe import Describer
from onboard.errors import InputError, nearest_known
from onboard.pack.found_pack import MapTrust, find_pack
from onboard.pack.map_pack import MapPack
from tools.procedural_area import DATUM_M, FLIGHT_EPOCH, make_area
from tools.sim.scenario import Rendering
from tools.sim.scenes import Appearance, Scene, Season, Sky, WorldScene, imagery_scene

LEVELS = (17, 18)  # 0.81 and 0.41 m/px: for heights of some 80 to 250 m


@dataclass(frozen=True)
class Area:
    """scene_of: what is seen on a day that looks as the scenario says."""

    pack: MapPack
    scene_of: Callable[[Rendering, int], Scene]
    said: str


def area_of(
    folder: Path,
    imagery: Sequence[Path] | None,
    dem: Path | None,
    map_pack: Path | None,
    describer: Describer,
    say: Callable[[str], None],
    trust: MapTrust | None = None,
) -> Area:
    """The procedural world with its map, made in the folder, where no imagery is given. trust:
    whose signature the map pack must bear.

    Raises InputError: imagery, elevation model or pack that can't be read.
    """
    if imagery is not None and map_pack is not None:
        found = find_pack(map_pack, trust)
        pack = MapPack.of_manifest(found.path, found.manifest, describer.bundle)

        def real(rendering: Rendering, seed: int) -> Scene:
            return imagery_scene(imagery, appearance_of(rendering), 0.0, dem, seed)

        names = ", ".join(path.name for path in imagery)
        return Area(pack, real, f"rendered from {names} over {dem.name if dem else 'flat ground'}")
    area = make_area(folder, describer, LEVELS, say, keep=True)

    def world(rendering: Rendering, seed: int) -> Scene:
        appearance = appearance_of(rendering)
        epoch = replace(FLIGHT_EPOCH, season=appearance.season)
        return WorldScene(area.landscape, epoch, DATUM_M, appearance, seed)

    return Area(area.pack, world, "procedural world: it shows that the parts fit together")


def appearance_of(rendering: Rendering) -> Appearance:
    """Raises InputError: a season or weather that is not known."""
    seasons = {season.value: season for season in Season}
    skies = {sky.value: sky for sky in Sky}
    for key, value, known in (
        ("season", rendering.season, list(seasons)),
        ("weather", rendering.weather, list(skies)),
    ):
        if value not in known:
            raise InputError(f"rendering.{key}: no '{value}'; {nearest_known(value, known)}")
    return Appearance(season=seasons[rendering.season], weather=skies[rendering.weather])
