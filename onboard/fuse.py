"""The estimator: fixes and visual motion into one position, with a mode that says how far to
trust it; GNSS only where there is nothing else.

Rules that are not in the filter itself:
- Started by GNSS that is trusted (`gnss_watch` decides), or by fixes that agree
  (`relocalization`).
- While fixes come GNSS is not put into the filter: a receiver that is led away slowly would
  take the estimate along. It carries the estimate when no fix has come for CARRY_AFTER_S, so
  that coasting starts from a good place; such an estimate says so and is never `tracking`.
- A fix outside the gate is refused. It replaces the estimate only when several such fixes
  agree with one another, nothing that agreed with the estimate came since the first of them,
  and the estimate is no longer `tracking`: some seconds of one mistake are not enough. A
  trusted GNSS that agrees counts as such for AGREEMENT_HOLDS_S after a fix that did: then both
  cannot be wrong alike. An estimate that GNSS alone made has no such protection.
- While the estimate is uncertain the gate says little: a fix needs the same agreement.
- GNSS outside the gate is left out; it starts the estimate again only when that is lost.
- Without a position for long, or too uncertain, the estimate is dropped: lost, silence.
- Without a fix for long every third frame is searched in the whole map: the estimate may be
  wrong.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from onboard.filter_history import FilterHistory
from onboard.geodesy import enu_offset_m, offset_latlon
from onboard.gnss.gnss_receiver import is_position
from onboard.messages import Estimate, Fix, Motion, Prior, Refusal
from onboard.outputs.moment import MAX_TRUSTED_ACCURACY_M
from onboard.position_filter import GATE_D2, AirVelocity, Exposure, FilterState, Position, sigma
from onboard.protection import protection_of
from onboard.reasons import Mode, Reason, Stage
from onboard.relocalization import Relocalizer
from onboard.telemetry_messages import Gnss

COASTING_AFTER_S = 5.0  # without a position: ten missed at the slowest useful rate of 2 Hz
LOST_AFTER_S = 60.0
# Beyond, nothing is told to the autopilot, which jumps onto what it is told first: one fix must not
# end the silence.
UNCERTAIN_ACCURACY_M = MAX_TRUSTED_ACCURACY_M
LOST_SIGMA_M = 250.0  # half a minute without anything; a wider prior helps no more than none
VELOCITY_HOLDS_S = 2.0  # after visual motion the velocity counts as measured this long
MIN_PRIOR_SIGMA_M = 15.0  # narrower would hide that the filter is wrong
MIN_GNSS_SIGMA_M = 1.5  # what receivers claim leaves out what they err by for minutes
CARRY_AFTER_S = COASTING_AFTER_S  # without a fix
AGREEMENT_HOLDS_S = 30.0  # since the last fix, GNSS that agrees protects the estimate
AGREED_S = 2.0  # how near in time to a fix that agreement counts
AGREED_SIGMA_M, AGREED_GATE_D2 = 5.0, 25.0  # what map and GNSS may differ by, and its gate
SEARCH_AFTER_S, SEARCH_EVERY = 10.0, 3  # without a fix, every so many frames look everywhere


class Estimator:
    """Handed measurements in any order of their times (a late one counts at its own time,
    up to `filter_history.KEPT_NS`); answers where the vehicle is at any time since."""

    def __init__(self, origin: tuple[float, float], searches_everywhere: bool = True) -> None:
        """origin: (lat_deg, lon_deg) of the local metres, near the flight: the map's centre.
        searches_everywhere: also while there is an estimate; not where that takes so long that
        the motion seen meanwhile is missed."""
        self._origin = origin
        self._searches_everywhere = searches_everywhere
        self._history: FilterHistory | None = None
        self._relocalizer = Relocalizer()
        self._fixed_ns: int | None = None  # the newest fix that was taken in
        self._carried_ns: int | None = None  # the newest GNSS position that was
        self._agreed: Position | None = None  # the newest GNSS position that agreed
        self._searched = 0

    def add_gnss(self, gnss: Gnss) -> None:
        """A trusted receiver's position: starts the estimate or carries it where fixes don't."""
        if not is_position(gnss):
            return
        time_ns, measured = gnss.time_ns, self._of_gnss(gnss)
        self._drop_if_lost(time_ns)
        if self._history is None:
            self._history = FilterHistory(measured)
            self._fixed_ns, self._carried_ns = None, time_ns
            return
        since_fix_s = self._since_fix_s(time_ns)
        if since_fix_s > CARRY_AFTER_S:
            if _accepted(self._history.insert(measured)):
                self._carried_ns = max(time_ns, self._carried_ns or time_ns)
            else:
                return
        if since_fix_s <= AGREEMENT_HOLDS_S and _accepted(self._distance2(measured)):
            self._agreed = measured
            self._relocalizer.clear()

    def gnss_distance2(self, gnss: Gnss) -> float | None:
        """Squared Mahalanobis distance of a receiver's position from the estimate; None where
        there is none, or GNSS carries it."""
        if not is_position(gnss) or self._carried():
            return None
        if self._history is None or self.mode_at(gnss.time_ns) is Mode.LOST:
            return None
        return self._distance2(self._of_gnss(gnss))

    def doubt_gnss(self) -> None:
        """GNSS was wrong: an estimate that it carries is dropped."""
        if self._history is not None and self._carried():
            self._history = None

    def add_exposure(self, time_ns: int, motion: Motion | None) -> None:
        """Each view's exposure, with the motion since the one before where it was seen."""
        exposure = Exposure(time_ns, motion)
        if self._history is not None:
            self._history.insert(exposure)
        self._relocalizer.add_exposure(exposure)
        self._searched += 1

    def add_air(self, air: AirVelocity) -> None:
        """The velocity through the air carries the position, with the wind that was learned."""
        if self._history is not None:
            self._history.insert(air)
        self._relocalizer.add_air(air)

    def add_fix(self, fix: Fix, lasting_m2: float = 0.0) -> Refusal | None:
        """None when the estimate took the fix in; otherwise why it didn't. lasting_m2: see
        `position_filter.Position`."""
        if not np.isfinite([fix.lat_deg, fix.lon_deg, *fix.covariance.flat]).all():
            return Refusal(fix.time_ns, Stage.FUSE, Reason.WEAK_MATCH, "a figure is no number")
        self._drop_if_lost(fix.time_ns)
        measured = self._local(fix.time_ns, fix.lat_deg, fix.lon_deg, fix.covariance)
        measured = replace(measured, lasting_m2=lasting_m2)
        reason, detail = Reason.UNCONFIRMED, "lost; waiting for fixes that agree"
        if self._history is not None:
            state = self._history.state_at(fix.time_ns)
            if state is None:
                detail = "older than the estimator's memory"
                return Refusal(fix.time_ns, Stage.FUSE, Reason.OUT_OF_ORDER, detail)
            accuracy_m = math.sqrt(float(np.trace(state.position_covariance)))
            if self._contradicts_agreed(measured, state):
                reason = Reason.INNOVATION_TOO_LARGE
                detail = "far from where GNSS and the estimate agree to be"
            elif accuracy_m <= UNCERTAIN_ACCURACY_M:
                d2 = self._history.insert(measured)
                if _accepted(d2):
                    self._relocalizer.clear()
                    self._fixed(fix.time_ns)
                    return None
                reason = Reason.INNOVATION_TOO_LARGE
                detail = f"{math.sqrt(d2 or 0.0):.1f} sigma off, allowed {math.sqrt(GATE_D2):.1f}"
            else:
                detail = f"the estimate is good to {accuracy_m:.0f} m only; waiting for agreement"
        stays = reason is Reason.INNOVATION_TOO_LARGE and self.mode_at(fix.time_ns) is Mode.TRACKING
        confirmed = self._relocalizer.add_fix(measured, believes=not stays)
        if confirmed is None:
            return Refusal(fix.time_ns, Stage.FUSE, reason, detail)
        self._history = confirmed
        self._fixed_ns, self._carried_ns = None, None
        self._fixed(fix.time_ns)
        return None

    def mode_at(self, time_ns: int) -> Mode:
        """What may be said about the position at time_ns."""
        state = self._history.state_at(time_ns) if self._history else None
        return self._mode(state) if state else Mode.LOST

    def estimate_at(self, time_ns: int) -> Estimate | None:
        """The position carried forward to time_ns; None while lost."""
        state = self._history.state_at(time_ns) if self._history else None
        if state is None or self._mode(state) is Mode.LOST:
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
            mode=self._mode(state),
            carried_by_gnss=self._carried(),
            protection_m=None if self._carried() else protection_of(state.position_covariance),
        )

    def prior_at(self, time_ns: int) -> Prior | None:
        """Where to look for the vehicle; None while lost: anywhere."""
        estimate = self.estimate_at(time_ns)
        if estimate is None:
            return None
        sigma_m = max(MIN_PRIOR_SIGMA_M, sigma(estimate.covariance))
        return Prior(estimate.lat_deg, estimate.lon_deg, sigma_m)

    def search_at(self, time_ns: int) -> Prior | None:
        """Where to look in the map for a frame: `prior_at`, or anywhere when no fix has come
        for long."""
        anywhere = self._since_fix_s(time_ns) > SEARCH_AFTER_S
        # Where GNSS carries the estimate, a spoofer may: no motion that is missed counts as much.
        anywhere &= self._searches_everywhere or self._carried()
        if anywhere and self._searched % SEARCH_EVERY == 0:
            return None
        return self.prior_at(time_ns)

    def _fixed(self, time_ns: int) -> None:
        self._fixed_ns = max(time_ns, self._fixed_ns or time_ns)
        self._searched = 0

    def _since_fix_s(self, time_ns: int) -> float:
        return math.inf if self._fixed_ns is None else (time_ns - self._fixed_ns) * 1e-9

    def _carried(self) -> bool:
        """Whether the position rests on GNSS: the newest thing taken in was one."""
        if self._carried_ns is None:
            return False
        return self._fixed_ns is None or self._carried_ns > self._fixed_ns

    def _mode(self, state: FilterState) -> Mode:
        age_s = (state.time_ns - state.position_ns) * 1e-9
        if age_s > LOST_AFTER_S or sigma(state.position_covariance) > LOST_SIGMA_M:
            return Mode.LOST
        tracking = self._since_fix_s(state.time_ns) <= COASTING_AFTER_S
        return Mode.TRACKING if tracking else Mode.COASTING

    def _distance2(self, measured: Position) -> float | None:
        state = self._history.state_at(measured.time_ns) if self._history else None
        if state is None:
            return None
        apart = np.array([measured.east_m, measured.north_m]) - state.position
        both = state.position_covariance + measured.covariance
        return float(apart @ np.linalg.solve(both, apart))

    def _contradicts_agreed(self, fix: Position, state: FilterState) -> bool:
        """Whether a fix is far from a GNSS that agreed with the estimate just now. The gate
        alone says little once the estimate is some 10 m uncertain."""
        agreed = self._agreed
        if agreed is None or self._since_fix_s(agreed.time_ns) > AGREEMENT_HOLDS_S:
            return False
        dt = (fix.time_ns - agreed.time_ns) * 1e-9
        if abs(dt) > AGREED_S:
            return False
        apart = np.array([fix.east_m - agreed.east_m, fix.north_m - agreed.north_m])
        apart = apart - dt * state.velocity
        both = fix.covariance + agreed.covariance + np.eye(2) * AGREED_SIGMA_M**2
        return bool(apart @ np.linalg.solve(both, apart) > AGREED_GATE_D2)

    def _of_gnss(self, gnss: Gnss) -> Position:
        sigma_m = max(MIN_GNSS_SIGMA_M, gnss.sigma_m)
        return self._local(gnss.time_ns, gnss.lat_deg, gnss.lon_deg, np.eye(2) * sigma_m**2)

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


def _accepted(d2: float | None) -> bool:
    return d2 is not None and d2 <= GATE_D2
