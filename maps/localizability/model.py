"""From what was found out about a place to the chance that a frame there is located."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from enum import Enum

from maps.localizability.findings import Findings, Tried
from onboard.reasons import Reason

LEAST_COVERED = 0.2  # share of a tile: flight uses no view with less ground; no place is here
AGE_YEARS_TO_HALF_ODDS = 12.0  # not fitted, the grounds were too few: mild, and by odds
LOW = 0.5  # a chance below this wants a reason
GOOD = 0.8  # and none from here on
# Where a reason begins to be named: shares of a tile, of the height above ground, grey levels.
HOLE_SHARE, COVER_SHARE, RELIEF_SHARE, SEAM_LEVELS, OLD_YEARS = 0.3, 0.4, 0.25, 12.0, 8.0


class Why(str, Enum):
    """Why a place is hard, as the map says it."""

    HOLE = "no imagery"
    WATER = "water"
    PLAIN = "no texture"
    FOREST = "forest"
    ALIKE = "looks alike elsewhere"
    SEAM = "a seam in the imagery"
    RELIEF = "steep ground"
    OLD = "old imagery"
    FAINT = "too little that lasts"


@dataclass(frozen=True)
class Coefficients:
    """Of a logistic regression: of the views tried the share of agreeing patches, the share
    found and the patches' contrast; of the imagery its structure and the share of patches
    without texture (`Tried`, `GroundCover`). All but the last can only add to the chance."""

    constant: float
    agreement: float
    found: float
    contrast: float
    structure: float
    plain: float


@dataclass(frozen=True)
class Prediction:
    """chance, chance_alone: that a frame there is located right, with a prior position and
    without. why: the reasons that hold, the weightiest first; empty where the chance is good.
    sigma_m: of a fix's match, one sigma, None where no view was ever found."""

    findings: Findings
    chance: float
    chance_alone: float
    why: tuple[Why, ...]
    sigma_m: float | None


# `python -m tools.map.check_study --fit`: banepa's west, one half of naip_dakota (the map of
# 2016 under pictures of 2009), a forest of naip_virginia and one procedural world, 70 places
# with 769 frames; none of them is among the test flights.
WITH_PRIOR = Coefficients(-4.74, 3.23, 0.21, 0.70, 0.84, -1.03)
WITHOUT = Coefficients(-6.01, 2.82, 0.76, 0.67, 1.09, -0.67)
# Where less than half of the map's own views are found again the chance falls in proportion,
# down to a tenth. Not fitted: those grounds have too few such places, and flight finds no more.
FOUND_ENOUGH, FOUND_LEAST = 0.5, 0.1


def predict(findings: Findings, m_per_px: float, agl_m: float, age_years: float) -> Prediction:
    """findings: with `tried`. m_per_px: of the place's level. age_years: of the imagery, 0
    where it is not known."""
    tried = findings.tried
    assert tried is not None
    chance, alone = (
        _aged(_chance(coefficients, findings, tried, is_alone), age_years)
        for coefficients, is_alone in ((WITH_PRIOR, False), (WITHOUT, True))
    )
    why = () if chance >= GOOD else _reasons(findings, tried, agl_m, age_years)
    sigma_m = None if tried.sigma_px is None else tried.sigma_px * m_per_px
    return Prediction(findings, chance, alone, why, sigma_m)


def features(findings: Findings, tried: Tried, alone: bool) -> tuple[float, ...]:
    """In the order of `Coefficients`."""
    return (
        1.0,
        tried.agreement,
        tried.found_alone if alone else tried.found,
        tried.contrast,
        findings.cover.structure,
        findings.cover.plain,
    )


def _chance(coefficients: Coefficients, findings: Findings, tried: Tried, alone: bool) -> float:
    values = features(findings, tried, alone)
    exponent = sum(c * v for c, v in zip(astuple(coefficients), values, strict=True))
    logistic = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, exponent))))
    found = tried.found_alone if alone else tried.found
    return logistic * min(1.0, max(FOUND_LEAST, found / FOUND_ENOUGH))


def _aged(chance: float, years: float) -> float:
    faded = math.exp(-years / AGE_YEARS_TO_HALF_ODDS * math.log(2.0))
    odds = chance / max(1.0 - chance, 1e-9) * faded
    return odds / (1.0 + odds)


def _reasons(f: Findings, tried: Tried, agl_m: float, age_years: float) -> tuple[Why, ...]:
    """Each with a weight: how far beyond its threshold it is. Thresholds are for words only."""
    c = f.cover
    relief = 0.0 if f.relief_m is None else f.relief_m / (RELIEF_SHARE * agl_m)
    ambiguous = tried.refused == Reason.AMBIGUOUS.value or tried.rival_near < 0.0
    weights = {
        Why.HOLE: (1.0 - c.covered) / HOLE_SHARE,
        Why.WATER: c.water / COVER_SHARE,
        Why.PLAIN: (c.plain - c.water) / COVER_SHARE,
        Why.FOREST: c.forest / COVER_SHARE,
        Why.ALIKE: 1.5 if ambiguous else 0.0,
        Why.RELIEF: relief,
        Why.SEAM: c.seam_levels / SEAM_LEVELS,
        Why.OLD: age_years / OLD_YEARS,
    }
    found = sorted((w for w in Why if weights.get(w, 0.0) >= 1.0), key=lambda w: -weights[w])
    return tuple(found) or (Why.FAINT,)
