"""Protection levels: the radius that a position's error exceeds at most once in a thousand times.

Two things can make it exceed: the errors of the budget (match, map, direction, height), which
the covariance tells, and a match in another place, which it does not. The risk is shared
between them: the less certain the place, the wider the radius; when the place alone uses the
risk up, only what was known before the match bounds the error.
"""

from __future__ import annotations

import math

from onboard.messages import Floats, Match
from onboard.position_filter import sigma

RISK = 1e-3
# Of a normal in two dimensions one error in a thousand lies beyond 3.72 sigma of its worst
# direction. Those measured (`pilotage integrity`) have somewhat heavier tails, as a covariance
# that was itself estimated makes them.
TAIL = 1.2
# Logistic regression over 4,424 matches before the gate, 1,033 of them in another place: frames
# rendered over fengyuan, over ground that the map lacks, and of another year (naip_dakota).
AT_ZERO, PER_INLIER, PER_RUNNER_UP = 5.85, 0.362, 1.48
LEAST_RUNNER_UP = 1e-6  # smaller odds were not measured
# No right match's patches agreed better than to 0.76 px; those of blank ground do, at any place.
EVEN_RESIDUAL_PX, EVEN_INLIERS = 0.9, 12
MOST_OF_RISK = 0.9  # what a place's uncertainty may use up of the risk


def sigmas(risk: float = RISK) -> float:
    """How many sigma of the worst direction the error exceeds with this probability."""
    return TAIL * math.sqrt(-2.0 * math.log(risk))


PROTECTION_SIGMAS = sigmas()


def protection_of(covariance: Floats) -> float:
    """Metres, where the place is certain. covariance: 2x2 east-north m2."""
    return PROTECTION_SIGMAS * sigma(covariance)


def fix_protection_m(covariance: Floats, match: Match, reach_m: float) -> float:
    """Metres. reach_m: how far the vehicle may be from the fix at all, by what was known before
    (the prior, or the map's size): what bounds the error when the match does not."""
    wrong = wrong_probability(match)
    if wrong > MOST_OF_RISK * RISK:
        return max(protection_of(covariance), reach_m)
    return sigmas(RISK - wrong) * sigma(covariance)


def wrong_probability(match: Match) -> float:
    """That the match shows another place, by what speaks for it: how many patches agree, and
    how far behind the next place is."""
    even = match.residual_px < EVEN_RESIDUAL_PX
    inliers = EVEN_INLIERS if even else match.inliers
    behind = math.log(max(match.runner_up, LEAST_RUNNER_UP))
    return 1.0 / (1.0 + math.exp(PER_INLIER * inliers - PER_RUNNER_UP * behind - AT_ZERO))
