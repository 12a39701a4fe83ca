"""What a simulated camera looks at: real imagery over terrain, or the procedural world.

    scene = imagery_scene([Path("2020.tif")], dem=Path("dem.tif"), appearance=Appearance(...))
    picture = scene.picture(lat_deg, lon_deg, amsl_m, attitude, camera, velocity_m_s, light)

`ImageryScene` and `WorldScene` are `Scene`s. Names of seasons are `Season`'s values, those of
weather `Sky`'s. A scene for judging a map should not be made of the map's own imagery: give a
picture of another date.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maps.sources.open_imagery import open_imagery
from maps.world.materials import Season
from tools.sim.scenes.appearance import Appearance, Sky
from tools.sim.scenes.ground import FlatGround, Ground, read_terrain
from tools.sim.scenes.imagery_scene import ImageryScene
from tools.sim.scenes.scene import Scene
from tools.sim.scenes.world_scene import WorldScene

__all__ = [
    "Appearance",
    "FlatGround",
    "ImageryScene",
    "Scene",
    "Season",
    "Sky",
    "WorldScene",
    "imagery_scene",
]


def imagery_scene(
    paths: Sequence[Path],
    appearance: Appearance | None = None,
    ground_amsl_m: float = 0.0,
    dem: Path | None = None,
    seed: int = 1,
    crs_name: str | None = None,
) -> ImageryScene:
    """paths: anything `map build` takes, a pack's imagery.mbtiles too; later ones lie on top.
    ground_amsl_m: of flat ground, where no elevation model is given.

    Raises InputError.
    """
    sources = [source for group in open_imagery(paths, crs_name) for source in group]
    ground: Ground = FlatGround(ground_amsl_m)
    if dem is not None:
        wests, souths, easts, norths = zip(*(s.bounds_m for s in sources), strict=True)
        ground = read_terrain(dem, (min(wests), min(souths), max(easts), max(norths)))
    return ImageryScene(sources, ground, appearance or Appearance(), seed)
