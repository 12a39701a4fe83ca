"""Examines the places of a pack one after the other; what is done stands in a file, so that an
examination that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maps.localizability.findings import Findings, as_row, of_row, summed_up
from maps.localizability.ground_cover import ground_cover
from maps.localizability.map_views import Footprint
from maps.localizability.places import Place
from maps.localizability.self_localization import SelfLocalization
from onboard.camera import Camera
from onboard.describe import Describer
from onboard.geodesy import pixel_to_latlon
from onboard.localize import Localizer
from onboard.messages import TILE_PX
from onboard.pack.map_pack import MapPack
from onboard.whole_file import write_whole

RELIEF_STEPS = 9  # heights are looked up on so many by so many points of a view
LEAST_COVERED = 0.2  # share of a tile: flight uses no view with less ground
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Examination:
    """What decides the findings. pack_sha256: of the pack's manifest, without this map's own
    files; views: tries a place."""

    pack_sha256: str
    level: int
    footprint: Footprint
    prior_sigma_m: float
    views: int
    seed: int = 1


class Examiner:
    """Holds an open pack and its network."""

    def __init__(self, pack: MapPack, describer: Describer, what: Examination) -> None:
        # Only its direction error goes into a fix; what it sees was cut already.
        camera = Camera(640, 480, horizontal_fov_deg=60.0)
        self._pack, self._what = pack, what
        self._tries = SelfLocalization(
            pack,
            describer,
            Localizer(pack, describer, camera),
            what.footprint,
            what.prior_sigma_m,
        )

    def cover_only(self, place: Place) -> Findings:
        """Without any view tried."""
        cover = ground_cover(self._pack.tile_picture(place.tile))
        return Findings(place, cover, self._relief_m(place), None)

    def tried(self, findings: Findings) -> Findings:
        """The same with views tried."""
        trials = self._tries.tries(findings.place, self._what.views, self._what.seed)
        return replace(findings, tried=summed_up(trials))

    def _relief_m(self, place: Place) -> float | None:
        terrain = self._pack.terrain
        if terrain is None:
            return None
        x, y = place.centre_px
        reach = (np.linspace(-0.5, 0.5, RELIEF_STEPS) * TILE_PX).astype(np.float64)
        lat, lon = pixel_to_latlon(x + reach[None, :], y + reach[:, None], place.level)
        heights = terrain.heights_m(*np.broadcast_arrays(lat, lon))
        known = heights[np.isfinite(heights)]
        if not known.size:
            return None
        low, high = np.percentile(known, (5, 95))
        return float(high - low)


def examine(
    examiner: Examiner,
    what: Examination,
    covered: Sequence[Findings],
    chosen: Sequence[Place],
    path: Path,
    progress: Progress,
) -> list[Findings]:
    """covered: every place's findings without views, in order; those chosen are tried. path:
    where what was tried is kept; another examination's is thrown away.

    Raises InputError: the pack is damaged, `path` cannot be written."""
    done = _done(path, what)
    wanted = set(chosen)
    out: list[Findings] = []
    count = 0
    with path.open("a", encoding="utf-8") as file:
        for findings in covered:
            if findings.place not in wanted:
                out.append(findings)
                continue
            if findings.place not in done:
                done[findings.place] = examiner.tried(findings)
                file.write(json.dumps(as_row(done[findings.place])) + "\n")
                file.flush()
            out.append(done[findings.place])
            count += 1
            progress(count, len(wanted))
    return out


def _done(path: Path, what: Examination) -> dict[Place, Findings]:
    """What the file holds; it is begun when absent or of another examination."""
    head = json.dumps(asdict(what))
    lines: list[str] = []
    if path.exists():
        first, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        lines = lines if first == head else []
    found = [f for line in lines if (f := _parsed(line)) is not None]
    text = [head, *(json.dumps(as_row(f)) for f in found)]
    write_whole(path, "\n".join(text) + "\n")
    return {f.place: f for f in found}


def _parsed(line: str) -> Findings | None:
    try:
        row: dict[str, Any] = json.loads(line)
        return of_row(row)
    except (ValueError, KeyError, TypeError):
        return None  # what a kill cut short
