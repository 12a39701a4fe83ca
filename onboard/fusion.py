"""Vision first: what GNSS may do to the estimate, to the calibration and to the watch.

The published position must not be dragged by GNSS. So a receiver's position is compared with
the fixes; only one that is held good starts and carries the estimate and calibrates camera
and map. One that is lost, jammed or spoofed does nothing, and what a spoofed one taught since
it was led away is taken back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onboard.air_data import AirSpeed
from onboard.flight_calibration import Corrections, FlightCalibration, Sight
from onboard.fuse import Estimator
from onboard.geodesy import enu_offset_m
from onboard.gnss.gnss_watch import GnssWatch
from onboard.messages import (
    Estimate,
    Event,
    Fix,
    Floats,
    GnssAssessment,
    Motion,
    Prior,
    Refusal,
)
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.reasons import GnssState, Mode
from onboard.telemetry_messages import AirData, Attitude, Gnss, VehicleState


class Fusion:
    """Estimator, GNSS watch and calibration of one flight."""

    def __init__(
        self,
        origin: tuple[float, float],
        direction_sigma_rad: float,
        use_gnss: bool = True,
        own_receiver: int | None = None,
        doubts_gnss: Callable[[], bool] = lambda: False,
        map_sigma_m: float = MAP_SIGMA_M,
        searches_everywhere: bool = True,
    ) -> None:
        """origin: (lat_deg, lon_deg) of the local metres. direction_sigma_rad: the mounting's.
        own_receiver: the number under which the autopilot reports what Pilotage sends.
        doubts_gnss: while it says so, a receiver that looks good makes no position.
        map_sigma_m: the map's own error, one sigma per axis. searches_everywhere: `Estimator`'s."""
        self._origin = origin
        self._use_gnss = use_gnss
        self._doubts_gnss = doubts_gnss
        self.estimator = Estimator(origin, searches_everywhere)
        self.calibration = FlightCalibration(direction_sigma_rad, map_sigma_m)
        self._airspeed = AirSpeed()
        self._watch = GnssWatch(origin, own_receiver)

    @property
    def corrections(self) -> Corrections:
        """What is known to be wrong with yaw and height."""
        return self.calibration.corrections

    def take(self, event: Event) -> None:
        """A report about GNSS, or anything else that is neither frame, attitude nor height."""
        if isinstance(event, Gnss):
            apart_d2 = self.estimator.gnss_distance2(event)
            state = self._watch.add_gnss(event, apart_d2)
            if state is GnssState.SPOOFED:
                self.estimator.doubt_gnss()
            if state is GnssState.GOOD and self._use_gnss and not self._doubts_gnss():
                self.estimator.add_gnss(event)
        else:
            if isinstance(event, VehicleState):
                self._airspeed.hear(event)
            self._watch.hear(event)

    def add_air(self, air: AirData, attitude: Attitude | None) -> None:
        """attitude: the vehicle's at that moment."""
        velocity = self._airspeed.velocity(air, attitude)
        if velocity is not None:
            self.estimator.add_air(velocity)

    def add_exposure(self, time_ns: int, motion: Motion | None) -> None:
        """See `Estimator.add_exposure`."""
        self.estimator.add_exposure(time_ns, motion)

    def add_fix(self, fix: Fix, sight: Sight, agl_sigma_m: float) -> tuple[Fix, Refusal | None]:
        """The fix as calibrated, and None when the estimate took it in, otherwise why it didn't.
        agl_sigma_m: of the height as the autopilot tells it."""
        self._calibrate(fix, sight)
        calibrated = self.calibration.apply(fix, sight)
        lasting_m2 = max(0.0, self.calibration.map_m2(fix.time_ns, sight) - MAP_SIGMA_M**2)
        refusal = self.estimator.add_fix(calibrated, lasting_m2)
        if refusal is not None:
            return calibrated, refusal
        self.calibration.add_match(fix.time_ns, sight, agl_sigma_m)
        noise_m2, wander_m2 = self.calibration.noise_m2(fix, sight)
        led_away_ns = self._watch.compare(fix.time_ns, self._place(calibrated), noise_m2, wander_m2)
        if led_away_ns is not None:
            self.calibration.roll_back(led_away_ns)
        return calibrated, None

    def gnss_at(self, now_ns: int) -> GnssAssessment:
        """What is held of GNSS."""
        return self._watch.assess(now_ns)

    def estimate_at(self, time_ns: int) -> Estimate | None:
        """The position carried forward to time_ns; None while lost."""
        return self.estimator.estimate_at(time_ns)

    def mode_at(self, time_ns: int) -> Mode:
        """What may be said about the position at time_ns."""
        return self.estimator.mode_at(time_ns)

    def prior_at(self, time_ns: int) -> Prior | None:
        """Where the vehicle is thought to be."""
        return self.estimator.prior_at(time_ns)

    def search_at(self, time_ns: int) -> Prior | None:
        """Where to look in the map for a frame; None for anywhere."""
        return self.estimator.search_at(time_ns)

    def _calibrate(self, fix: Fix, sight: Sight) -> None:
        if not self._use_gnss or not np.isfinite([fix.lat_deg, fix.lon_deg]).all():
            return
        self._watch.assess(fix.time_ns)
        for _, place, sigma_m in self._watch.good_places(fix.time_ns)[:1]:
            apart: Floats = self._place(fix) - place
            self.calibration.add_difference(fix, sight, apart, sigma_m)

    def _place(self, fix: Fix) -> Floats:
        return np.array(enu_offset_m(*self._origin, fix.lat_deg, fix.lon_deg), np.float64)
