"""A corner of the procedural world with its map pack: what demo and simulation fly over when
nothing else is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from maps.build import BuildRequest, build_pack
from maps.progress import progress_s
from maps.provenance import Provenance
from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.materials import Season
from maps.world.survey import write_survey
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.pack.map_pack import MapPack

SEED, STYLE = 7, 1  # a town, a river, fields and woods
SIZE_M, GSD_M = 1600.0, 0.4
ANCHOR_LAT_DEG, ANCHOR_LON_DEG = 47.2, 8.5
DATUM_M = 420.0  # the lowest ground above mean sea level
MAP_LEAN = (0.12, -0.16)  # a satellite 11 deg off nadir
MAP_EPOCH = Epoch(
    seed=2023,
    season=Season.SUMMER,
    sun_azimuth_deg=140.0,
    sun_elevation_deg=55.0,
    haze=0.08,
    gain_bgr=(1.06, 1.0, 0.97),
    saturation=0.9,
    blur_px=0.7,
)
FLIGHT_EPOCH = Epoch(
    seed=2025,
    season=Season.AUTUMN,
    sun_azimuth_deg=215.0,
    sun_elevation_deg=36.0,
    shade=0.5,
    gain_bgr=(0.95, 1.0, 1.04),
    gamma=1.1,
    contrast=1.1,
    noise=2.5,
    water_level_m=0.8,
)
PROVENANCE = Provenance(("procedural world",), ("2023-07",), ("Apache-2.0",), ("Pilotage",))


@dataclass(frozen=True)
class ProceduralArea:
    landscape: Landscape
    pack: MapPack


def make_area(
    folder: Path,
    describer: Describer,
    levels: tuple[int, ...],
    say: Callable[[str], None],
    keep: bool = False,
) -> ProceduralArea:
    """Surveys it from above in summer and builds the pack in the folder. keep: one that lies
    there already, described with the same network, is taken.

    Raises InputError as `build_pack` does.
    """
    say(f"building a world of {SIZE_M / 1000:.1f} x {SIZE_M / 1000:.1f} km")
    landscape = Landscape(SEED, SIZE_M, GSD_M, ANCHOR_LAT_DEG, ANCHOR_LON_DEG, STYLE)
    out = folder / "procedural.pack"
    if keep and out.exists():
        try:
            pack = MapPack.open(out, describer.bundle)
        except InputError as e:
            say(f"making the map anew: {e}")
        else:
            if pack.levels == levels:
                say(f"{out}: as it is")
                return ProceduralArea(landscape, pack)
    say("surveying it from above, in summer")
    with tqdm(desc="survey", unit="sheet", mininterval=progress_s()) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(1)

        survey = write_survey(landscape, MAP_EPOCH, folder / "survey", GSD_M, MAP_LEAN, progress)
    say("making the map pack")
    request = BuildRequest(
        inputs=(survey,), out=out, levels=levels, provenance=PROVENANCE, replace=True
    )
    summary = build_pack(request, describer.bundle)
    say(f"{out}: {summary.tiles} tiles")
    return ProceduralArea(landscape, MapPack.open(out, describer.bundle))
