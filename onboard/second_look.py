"""A frame seen again where its ground was in doubt: the first answer of the map only says where
the ground is to be taken from, the second decides.

The second view is searched for where the first was, and passes the same gate. So what stands
was seen from the height that the terrain gives at the place found, and was found there twice.
"""

from __future__ import annotations

import math
from dataclasses import replace

from onboard.geodesy import distance_m
from onboard.ground.doubtful_ground import DoubtfulGround, GroundThere
from onboard.ground.match_place import match_place
from onboard.localize import Localizer, Look
from onboard.messages import Frame, FrameResult, Prior, Refusal
from onboard.reasons import Reason, Stage
from onboard.telemetry_messages import Attitude

# Ground in so much doubt is looked at again even where the first answer was trusted: its height may
# be off by more than the gate forgives (`gate.SCALE_TOLERANCE`) once in eight frames. A slope of
# 0.3 puts half of that below every frame of a vehicle that knows its place: too dear.
TRUSTED_DOUBT_SHARE = 0.1
# Of the height above ground, between the two places. One right one in a hundred was further off.
MAX_APART_SHARE = 0.15


def ground_there(first: FrameResult, ground: DoubtfulGround | None) -> GroundThere | None:
    """The ground where the first answer puts the vehicle; None where a second look is not needed,
    or not possible: ground not in doubt, no place found, or the ground there unknown. Neither
    where two places were alike: over the ground of one, that one looks better than the other."""
    if ground is None or first.match is None or first.view is None:
        return None
    if first.refusal is not None and first.refusal.reason is Reason.AMBIGUOUS:
        return None
    if first.fix is not None and ground.share < TRUSTED_DOUBT_SHARE:
        return None
    place = match_place(first.match, first.view)
    return ground.at(*place) if all(map(math.isfinite, place)) else None


def see_again(
    localizer: Localizer,
    frame: Frame,
    attitude: Attitude | None,
    ground: DoubtfulGround | None,
    prior: Prior | None,
    at_lat_deg: float,
    first: FrameResult,
) -> FrameResult:
    """The frame's answer after a second look, where it takes one. Without a view over the ground
    there, the first stands."""
    there = ground_there(first, ground)
    if there is None:
        return first
    look = localizer.look(frame, attitude, there.height, at_lat_deg, relief=there.relief)
    return find_again(localizer, first, look, prior) if isinstance(look, Look) else first


def find_again(
    localizer: Localizer, first: FrameResult, look: Look, prior: Prior | None
) -> FrameResult:
    """The second answer, or why it doesn't stand; with the time that both took. look: over
    `ground_there`. prior: the first's."""
    spent_ms = dict(first.latency_ms)
    for stage, ms in look.latency_ms.items():
        spent_ms[stage] = spent_ms.get(stage, 0.0) + ms
    second = localizer.find(replace(look, latency_ms=spent_ms), prior)
    if second.fix is None:
        return second
    assert first.match is not None and first.view is not None
    place = match_place(first.match, first.view)
    apart_m = distance_m(*place, second.fix.lat_deg, second.fix.lon_deg)
    allowed_m = MAX_APART_SHARE * look.view.agl_m
    if apart_m <= allowed_m:
        return second
    detail = (
        f"seen over the ground at the place found, it shows one {apart_m:.0f} m away, "
        f"allowed {allowed_m:.0f}"
    )
    refusal = Refusal(second.time_ns, Stage.GATE, Reason.AMBIGUOUS, detail)
    return replace(second, fix=None, refusal=refusal)
