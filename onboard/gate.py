"""Says no to a match that is not trusted, and why. Rather no fix than a wrong one."""

from __future__ import annotations

import numpy as np

from onboard.geodesy import enu_offset_m, pixel_to_latlon
from onboard.messages import (
    TILE_PX,
    Match,
    Prior,
    Refusal,
    View,
)
from onboard.protection import EVEN_RESIDUAL_PX
from onboard.reasons import Reason, Stage

# Of 34 wrong matches on held-out ground (`pilotage validate`) none had more than 0.23 of its
# patches agreeing; of 53 on savanna in another season one had 0.36, and then a strong rival.
MIN_INLIERS = 12  # patches
MIN_INLIER_SHARE = 0.28  # of the patches compared
MAX_RESIDUAL_PX = 2.75  # root mean square; inliers by chance would have 2.83 (4 px / sqrt 2)
STRONG_INLIER_SHARE = 0.5
MAX_RUNNER_UP = 0.33  # odds of the best other place: one to three
MAX_RUNNER_UP_WEAK = 0.1  # while fewer patches agree than is strong, or all too evenly
SCALE_TOLERANCE = 0.15  # a height error of 15 %
ROTATION_TOLERANCE = 0.22  # rad, 12.6 deg: compasses near motors
MAX_PRIOR_SIGMAS = 4.3  # a circular normal exceeds it once in ten thousand


def gate(match: Match, view: View, centre_prior: Prior | None) -> Refusal | None:
    """The first objection, or None when the match stands. centre_prior: where the view's
    centre may be, None for anywhere. A figure that is no number is an objection."""

    def refuse(reason: Reason, detail: str) -> Refusal:
        return Refusal(view.time_ns, Stage.GATE, reason, detail)

    needed = max(MIN_INLIERS, MIN_INLIER_SHARE * match.checked)
    if match.inliers < needed:
        return refuse(
            Reason.TOO_FEW_INLIERS,
            f"{match.inliers} of {match.checked} patches agree, {needed:.0f} needed",
        )
    if not match.residual_px <= MAX_RESIDUAL_PX:
        detail = f"patches scatter by {match.residual_px:.1f} px, {MAX_RESIDUAL_PX} allowed"
        return refuse(Reason.RESIDUAL_TOO_LARGE, detail)
    strong = match.inliers >= STRONG_INLIER_SHARE * match.checked
    strong = strong and match.residual_px >= EVEN_RESIDUAL_PX
    allowed = MAX_RUNNER_UP if strong else MAX_RUNNER_UP_WEAK
    if not match.runner_up <= allowed:
        detail = f"another place has odds of {match.runner_up:.2f}, {allowed} allowed"
        return refuse(Reason.AMBIGUOUS, detail)
    if not abs(match.rotation) <= ROTATION_TOLERANCE:
        detail = f"turned by {match.rotation * 57.3:+.0f} deg: yaw or mounting is wrong"
        return refuse(Reason.ROTATION_DISAGREES, detail)
    if centre_prior is not None:
        sigmas = _distance_m(match, centre_prior) / centre_prior.sigma_m
        if not sigmas <= MAX_PRIOR_SIGMAS:
            return refuse(Reason.FAR_FROM_PRIOR, f"{sigmas:.1f} sigma from where it may be")
    # Last: what is refused for its scale is right in all else, and tells the height.
    if not abs(match.scale - 1.0) <= SCALE_TOLERANCE:
        detail = f"scale is off by {100 * (match.scale - 1):+.0f} %: height above ground is wrong"
        return refuse(Reason.SCALE_DISAGREES, detail)
    return None


def _distance_m(match: Match, centre_prior: Prior) -> float:
    x, y = match.view_to_map @ (TILE_PX / 2, TILE_PX / 2, 1.0)
    lat_deg, lon_deg = pixel_to_latlon(x, y, match.level)
    east_m, north_m = enu_offset_m(centre_prior.lat_deg, centre_prior.lon_deg, lat_deg, lon_deg)
    return float(np.hypot(east_m, north_m))
