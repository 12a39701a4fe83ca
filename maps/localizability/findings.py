"""What is known of one place, and the same as a line of a file."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maps.localizability.ground_cover import GroundCover
from maps.localizability.places import Place
from maps.localizability.self_localization import Trial


@dataclass(frozen=True)
class Tried:
    """Means over a place's views, see `Trial`. sigma_px: median of the matches, None where none
    was right. refused: the most frequent reason, None where every view was found."""

    found: float
    found_alone: float
    wrong: float
    agreement: float
    lead: float
    rival_near: float
    rival_anywhere: float
    contrast: float
    sigma_px: float | None
    refused: str | None
    views: int


@dataclass(frozen=True)
class Findings:
    """relief_m: 5th to 95th percentile of the ground's height around the place, None without
    terrain. tried: None where the views of neighbours stand for it, see `spread`."""

    place: Place
    cover: GroundCover
    relief_m: float | None
    tried: Tried | None


def summed_up(trials: Sequence[Trial]) -> Tried:
    """At least one trial."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(t, name) for t in trials]))

    sigmas = [t.sigma_px for t in trials if t.sigma_px is not None]
    reasons = Counter(t.refused for t in trials if t.refused)
    return Tried(
        found=mean("found"),
        found_alone=mean("found_alone"),
        wrong=mean("wrong"),
        agreement=mean("agreement"),
        lead=mean("lead"),
        rival_near=mean("rival_near"),
        rival_anywhere=mean("rival_anywhere"),
        contrast=mean("contrast"),
        sigma_px=float(np.median(sigmas)) if sigmas else None,
        refused=reasons.most_common(1)[0][0] if reasons else None,
        views=len(trials),
    )


def as_row(findings: Findings) -> dict[str, Any]:
    """As JSON takes it."""
    return dataclasses.asdict(findings)


def of_row(row: dict[str, Any]) -> Findings:
    """What `as_row` made. Raises KeyError, TypeError: it did not."""
    tried = row["tried"]
    return Findings(
        Place(**row["place"]),
        GroundCover(**row["cover"]),
        row["relief_m"],
        None if tried is None else Tried(**tried),
    )
