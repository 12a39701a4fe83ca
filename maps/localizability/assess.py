"""The localizability map of a pack: places chosen, examined, predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from maps.localizability.examine import Examination, Examiner, Progress, examine
from maps.localizability.model import LEAST_COVERED, LOW, Prediction, predict
from maps.localizability.places import Place, near, places_of, sampled
from maps.localizability.spread import spread
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import ImagerySource

MOST_PLACES = 20_000  # whose imagery is looked at: a minute of one core
AROUND_ROUTE = 2  # places to each side of a way that belong to it
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Assessment:
    """predictions: in the places' order. tried: places with views of their own. in_pack: places
    that the level has; those without imagery were left out, and some where it has too many."""

    predictions: tuple[Prediction, ...]
    tried: int
    looked_at: int
    in_pack: int
    age_years: float | None
    what: Examination

    @property
    def localizable(self) -> float:
        """Share of the places with a chance of LOW or better."""
        return sum(p.chance >= LOW for p in self.predictions) / len(self.predictions)


def assess(
    pack: MapPack,
    describer: Describer,
    what: Examination,
    most_tried: int,
    route: Sequence[Place],
    today: date,
    kept: Path,
    progress: Progress,
) -> Assessment:
    """route: the places of a mission, empty without one; they come first. kept: the file that
    keeps what was examined. Raises InputError: no place at the level, a damaged pack."""
    everywhere = places_of(pack, what.level)
    if not everywhere:
        raise InputError(f"{pack.path}: has no imagery at level {what.level}; build it again")
    there = set(everywhere)
    on_route = near(everywhere, set(route) & there, AROUND_ROUTE)
    looked_at = sampled(everywhere, MOST_PLACES)
    looked_at = sorted({*looked_at, *sampled(on_route, MOST_PLACES)})
    examiner = Examiner(pack, describer, what)
    covered = [f for p in looked_at if (f := examiner.cover_only(p)).cover.covered >= LEAST_COVERED]
    if not covered:
        raise InputError(f"{pack.path}: level {what.level} is all but empty; build it again")
    usable = [f.place for f in covered]
    wanted = set(route)
    chosen = {*sampled([p for p in usable if p in wanted], most_tried)}
    rest = most_tried if not chosen else max(most_tried // 2, most_tried - len(chosen))
    chosen |= {*sampled(usable, rest)}
    findings = examine(examiner, what, covered, sorted(chosen), kept, progress)
    age = age_years(pack.manifest.imagery, today)
    m_per_px = pixel_size_m(pack.centre[0], what.level)[0]
    predictions = tuple(
        predict(f, m_per_px, what.footprint.agl_m, age or 0.0) for f in spread(findings)
    )
    return Assessment(predictions, len(chosen), len(looked_at), len(everywhere), age, what)


def age_years(imagery: Sequence[ImagerySource], today: date) -> float | None:
    """Of the oldest imagery; None where no date is known. A span counts from its beginning, a
    year or month from its middle."""
    ages = [(today - day).days / YEAR_DAYS for s in imagery if (day := _day(s.date)) is not None]
    return max(0.0, max(ages)) if ages else None


def _day(text: str) -> date | None:
    parts = text.split("/")[0].split("-")
    try:
        year, month, day = (int(p) for p in (*parts, *("7", "15")[len(parts) - 1 :])[:3])
        return date(year, month, day)
    except ValueError:
        return None
