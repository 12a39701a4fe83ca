"""The estimator: fixes, GNSS and visual motion into one position, with a mode that says how
far to trust it.

Rules that are not in the filter itself:
- Started by GNSS while it has a fix, or by fixes that agree (`relocalization`).
- A fix outside the gate is refused. It replaces the estimate only when several such fixes
  agree with one another and nothing that agreed with the estimate came since the first of
  them: GNSS that is still good, or one good fix, keeps the estimate where it is.
- While the estimate is uncertain the gate says little: a fix needs the same agreement.
- GNSS outside the gate is left out; it starts the estimate again only when that is lost.
- A jammed receiver has a fix now and then, anywhere. After it had none, or lay outside the
  gate, it too needs agreement wherever the gate says little.
- Without a position for long, or too uncertain, the estimate is dropped: lost, silence.
"""

from __future__ import annotations

import math

import numpy as np

from onboard.filter_history import FilterHistory
from onboard.geodesy import enu_offset_m, offset_latlon
from onboard.messages import (
    Estimate,
    Fix,
    Gnss,
    Motion,
    Prior,
    Refusal,
)
from onboard.position_filter import GATE_D2, Exposure, FilterState, Position, sigma
from onboard.reasons import Mode, Reason, Stage
from onboard.relocalization import Relocalizer

COASTING_AFTER_S = 5.0  # without a position: ten missed at the slowest useful rate of 2 Hz
LOST_AFTER_S = 60.0
UNCERTAIN_SIGMA_M = 25.0  # beyond, the gate would let a wrong fix move the estimate by 100 m
LOST_SIGMA_M = 250.0  # half a minute without anything; a wider prior helps no more than none
VELOCITY_HOLDS_S = 2.0  # after visual motion the velocity counts as measured this long
MIN_PRIOR_SIGMA_M = 15.0  # narrower would hide that the filter is wrong
MIN_GNSS_SIGMA_M = 0.1  # beyond what a receiver in flight can know
MAX_GNSS_SIGMA_M = 100.0  # a worse one is no help: its gate would span a square kilometre
NO_POSITION_DEG = 1e-6  # latitude and longitude both this near 0: a receiver without a fix


class Estimator:
    """Handed measurements in any order of their times (a late one counts at its own time,
    up to `filter_history.KEPT_NS`); answers where the vehicle is at any time since."""

    def __init__(self, origin: tuple[float, float]) -> None:
        """origin: (lat_deg, lon_deg) of the local metres, near the flight: the map's centre."""
        self._origin = origin
        self._history: FilterHistory | None = None
        self._relocalizer = Relocalizer()
        self._gnss_doubted = False

    def add_gnss(self, gnss: Gnss) -> None:
        """Takes a receiver's position in while it has one; others are left out."""
        if not _is_position(gnss):
            self._gnss_doubted = True
            return
        sigma_m = max(MIN_GNSS_SIGMA_M, gnss.sigma_m)
        measured = self._local(gnss.time_ns, gnss.lat_deg, gnss.lon_deg, np.eye(2) * sigma_m**2)
        self._drop_if_lost(gnss.time_ns)
        state = self._history.state_at(gnss.time_ns) if self._history else None
        uncertain = state is None or sigma(state.position_covariance) > UNCERTAIN_SIGMA_M
        if self._gnss_doubted and uncertain:
            if confirmed := self._relocalizer.add_fix(measured):
                self._history, self._gnss_doubted = confirmed, False
        elif self._history is None:
            self._history = FilterHistory(measured)
            self._relocalizer.clear()
        elif _accepted(self._history.insert(measured)):
            self._gnss_doubted = False
            self._relocalizer.clear()
        else:
            self._gnss_doubted = True

    def add_exposure(self, time_ns: int, motion: Motion | None) -> None:
        """Each view's exposure, with the motion since the one before where it was seen."""
        exposure = Exposure(time_ns, motion)
        if self._history is not None:
            self._history.insert(exposure)
        self._relocalizer.add_exposure(exposure)

    def add_fix(self, fix: Fix) -> Refusal | None:
        """None when the estimate took the fix in; otherwise why it didn't."""
        if not np.isfinite([fix.lat_deg, fix.lon_deg, *fix.covariance.flat]).all():
            return Refusal(fix.time_ns, Stage.FUSE, Reason.WEAK_MATCH, "a figure is no number")
        self._drop_if_lost(fix.time_ns)
        measured = self._local(fix.time_ns, fix.lat_deg, fix.lon_deg, fix.covariance)
        reason, detail = Reason.UNCONFIRMED, "lost; waiting for fixes that agree"
        if self._history is not None:
            state = self._history.state_at(fix.time_ns)
            if state is None:
                detail = "older than the estimator's memory"
                return Refusal(fix.time_ns, Stage.FUSE, Reason.OUT_OF_ORDER, detail)
            sigma_m = sigma(state.position_covariance)
            if sigma_m <= UNCERTAIN_SIGMA_M:
                d2 = self._history.insert(measured)
                if _accepted(d2):
                    self._relocalizer.clear()
                    return None
                reason = Reason.INNOVATION_TOO_LARGE
                detail = f"{math.sqrt(d2 or 0.0):.1f} sigma off, allowed {math.sqrt(GATE_D2):.1f}"
            else:
                detail = f"the estimate is good to {sigma_m:.0f} m only; waiting for agreement"
        confirmed = self._relocalizer.add_fix(measured)
        if confirmed is None:
            return Refusal(fix.time_ns, Stage.FUSE, reason, detail)
        self._history = confirmed
        return None

    def mode_at(self, time_ns: int) -> Mode:
        """What may be said about the position at time_ns."""
        state = self._history.state_at(time_ns) if self._history else None
        return _mode(state) if state else Mode.LOST

    def estimate_at(self, time_ns: int) -> Estimate | None:
        """The position carried forward to time_ns; None while lost."""
        state = self._history.state_at(time_ns) if self._history else None
        if state is None or _mode(state) is Mode.LOST:
            return None
        lat_deg, lon_deg = offset_latlon(*self._origin, *map(float, state.position))
        measured = (
            state.motion_ns is not None and time_ns - state.motion_ns <= VELOCITY_HOLDS_S * 1e9
        )
        return Estimate(
            time_ns=time_ns,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            velocity_north_m_s=float(state.velocity[1]),
            velocity_east_m_s=float(state.velocity[0]),
            covariance=state.position_covariance,
            velocity_sigma_m_s=state.velocity_sigma_m_s if measured else None,
            fix_age_s=(time_ns - state.position_ns) * 1e-9,
            mode=_mode(state),
        )

    def prior_at(self, time_ns: int) -> Prior | None:
        """Where to look for the vehicle; None while lost: anywhere."""
        estimate = self.estimate_at(time_ns)
        if estimate is None:
            return None
        sigma_m = max(MIN_PRIOR_SIGMA_M, sigma(estimate.covariance))
        return Prior(estimate.lat_deg, estimate.lon_deg, sigma_m)

    def _drop_if_lost(self, time_ns: int) -> None:
        if self._history is None or time_ns < self._history.newest.time_ns:
            return
        if self.mode_at(time_ns) is Mode.LOST:
            self._history = None

    def _local(
        self, time_ns: int, lat_deg: float, lon_deg: float, covariance: np.ndarray
    ) -> Position:
        east_m, north_m = enu_offset_m(*self._origin, lat_deg, lon_deg)
        return Position(time_ns, float(east_m), float(north_m), covariance)


def _is_position(gnss: Gnss) -> bool:
    """A receiver's fix on Earth, not the 0/0 of one without, of a usable accuracy."""
    at_zero = max(abs(gnss.lat_deg), abs(gnss.lon_deg)) < NO_POSITION_DEG
    on_earth = abs(gnss.lat_deg) <= 90.0 and abs(gnss.lon_deg) <= 180.0
    return gnss.has_fix and on_earth and not at_zero and 0.0 < gnss.sigma_m <= MAX_GNSS_SIGMA_M


def _accepted(d2: float | None) -> bool:
    return d2 is not None and d2 <= GATE_D2


def _mode(state: FilterState) -> Mode:
    age_s = (state.time_ns - state.position_ns) * 1e-9
    if age_s > LOST_AFTER_S or sigma(state.position_covariance) > LOST_SIGMA_M:
        return Mode.LOST
    return Mode.COASTING if age_s > COASTING_AFTER_S else Mode.TRACKING
