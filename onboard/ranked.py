"""What re-ranking hands to locate; apart, so that neither stage imports the other."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.messages import Candidate, Description


@dataclass(frozen=True)
class Ranked:
    """A candidate after the second look. logit: of its best shift; centre_px: the map pixel
    where that shift puts the view's centre."""

    candidate: Candidate
    description: Description
    logit: float
    centre_px: tuple[float, float]

    @property
    def score(self) -> float:
        """What the candidates are ordered by."""
        return self.logit + self.candidate.log_prior
