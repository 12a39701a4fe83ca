"""Does GNSS move away from the ground? The slow spoof that no autopilot notices.

What GNSS and accepted visual fixes differ by is, while all is well, a slow wander (the map's
shift, mounting, the receiver's own error: a Gauss-Markov process) and white noise. A generalized
likelihood ratio test asks of every moment of the past two minutes whether a step or a
steady drift that began there explains the differences better (Willsky and Jones 1976): the
innovations of a Kalman filter of the wander are compared with what each such onset would
have left in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onboard.messages import Floats

WANDER_M = 500.0  # flown, over which the map's shift changes
WANDER_S = (20.0, 100.0)  # and at least and at most so long: the receiver's own error too
MIN_WANDER_SIGMA_M = 3.5  # per axis, of what calibration leaves: good orthophotos 0.1-2.7 m
MIN_NOISE_SIGMA_M = 2.0
CLIP_SIGMAS = 3.5  # one wrong fix counts no more than this
MIN_STEP_S = 0.4  # fixes nearer in time share their errors
ONSET_EVERY_S, ONSET_KEPT_S = 3.0, 120.0
# Twice the log-likelihood ratio. Were the model exact 36 would be exceeded once in 7e7 fixes; over
# a map that is wrong by up to 16 m, another way every 500 m, 37 was the most in 20 h of
# `tools.gnss_study`. At 42 all of 45 receivers led away by 1 m/s were found within 28 m.
SUSPICIOUS, CERTAIN = 18.0, 42.0
SUSPICIOUS_M, CERTAIN_M = 10.0, 15.0
MIN_FIXES, MIN_LASTED_S = 5, 3.0
AGREES_SIGMAS = 2.5  # of the wander: where GNSS has to be to be believed again
SMOOTHED_S = 4.0
FRESH_NS = 5_000_000_000  # an older comparison says nothing of now


@dataclass(frozen=True)
class Suspicion:
    """The onset that explains best. likelihood: twice the log ratio; displaced_m: how far GNSS
    was led away by now."""

    onset_ns: int
    likelihood: float
    displaced_m: float
    rate_m_s: float
    fixes: int
    lasted_s: float

    @property
    def suspicious(self) -> bool:
        return self.likelihood >= SUSPICIOUS and self.displaced_m >= SUSPICIOUS_M

    @property
    def certain(self) -> bool:
        enough = self.fixes >= MIN_FIXES and self.lasted_s >= MIN_LASTED_S
        return enough and self.likelihood >= CERTAIN and self.displaced_m >= CERTAIN_M


@dataclass
class _Onsets:
    """The bank, one entry per onset and kind: `response` is what the filter has made of the
    unit signal, `pull` (N,2) and `weight` sum signal times innovation and signal squared;
    wander (N,2) is the filter's mean when it began."""

    time_ns: Floats
    is_drift: Floats
    response: Floats
    pull: Floats
    weight: Floats
    fixes: Floats
    wander: Floats

    def keep(self, which: NDArray[np.bool_]) -> _Onsets:
        return _Onsets(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def and_also(self, other: _Onsets) -> _Onsets:
        names = self.__dataclass_fields__
        pairs = ((getattr(self, name), getattr(other, name)) for name in names)
        return _Onsets(*map(np.concatenate, pairs))


class DragOff:
    """One receiver against the visual fixes."""

    def __init__(self) -> None:
        self._time_ns: int | None = None
        self._wander: Floats = np.zeros(2)
        self._variance_m2 = 0.0
        self._sigma_m = MIN_WANDER_SIGMA_M
        self._onsets = _no_onsets()
        self._onset_ns: int | None = None
        self._before: Floats | None = None  # the wander before the alarm
        self._smoothed: Floats | None = None
        self.suspicion: Suspicion | None = None

    @property
    def alarmed(self) -> bool:
        """From a certain suspicion until `believe`."""
        return self._before is not None

    def agrees(self, now_ns: int) -> bool:
        """Whether GNSS is, by the fixes of the last seconds, where it was before an alarm."""
        if self._time_ns is None or now_ns - self._time_ns > FRESH_NS:
            return False
        return self.apart_m <= self.usual_m

    @property
    def suspects(self) -> bool:
        """Whether a step or drift is likely, or was certain."""
        return self.alarmed or (self.suspicion is not None and self.suspicion.suspicious)

    @property
    def usual_m(self) -> float:
        """Within this of the fixes GNSS agrees with them."""
        return AGREES_SIGMAS * self._sigma_m * math.sqrt(2.0)

    @property
    def apart_m(self) -> float:
        """How far GNSS is from the fixes now, beyond what it was before an alarm."""
        if self._smoothed is None:
            return 0.0
        before = self._before if self._before is not None else np.zeros(2)
        return float(np.hypot(*(self._smoothed - before)))

    def compare(
        self, time_ns: int, apart: Floats, noise_m2: float, wander_m2: float, speed_m_s: float
    ) -> None:
        """apart: (2,) GNSS minus an accepted fix, east-north m. noise_m2, wander_m2: the
        variances per axis of what differs from fix to fix, and of what stays for long."""
        first = self._time_ns is None
        dt = 0.0 if self._time_ns is None else (time_ns - self._time_ns) * 1e-9
        if not first and dt < MIN_STEP_S:
            return
        self._smooth(apart, dt)
        if self.alarmed:
            self._time_ns = time_ns
            return
        wander_m2 = max(MIN_WANDER_SIGMA_M**2, wander_m2)
        self._sigma_m = math.sqrt(wander_m2)
        wander_s = min(WANDER_S[1], max(WANDER_S[0], WANDER_M / max(speed_m_s, 0.1)))
        fade = 0.0 if first else math.exp(-dt / wander_s)
        self._wander = fade * self._wander
        self._variance_m2 = fade**2 * self._variance_m2 + (1.0 - fade**2) * wander_m2
        self._begin_onsets(time_ns, self._time_ns or time_ns)
        self._weigh(time_ns, apart, fade, max(MIN_NOISE_SIGMA_M**2, noise_m2))
        self._time_ns = time_ns
        if self.suspicion is not None and self.suspicion.certain:
            self._alarm(self.suspicion)

    def believe(self) -> None:
        """GNSS earned its trust again: the test starts anew from what held before."""
        if self._before is not None:
            self._wander = self._before
        self._variance_m2 = self._sigma_m**2
        self._before, self.suspicion, self._onsets = None, None, _no_onsets()

    def _weigh(self, time_ns: int, apart: Floats, fade: float, noise_m2: float) -> None:
        spread_m2 = self._variance_m2 + noise_m2
        innovation = apart - self._wander
        sigmas = float(np.hypot(*innovation)) / math.sqrt(spread_m2)
        innovation = innovation * min(1.0, CLIP_SIGMAS / max(sigmas, 1e-9))
        gain = self._variance_m2 / spread_m2
        bank = self._onsets
        since_s = (time_ns - bank.time_ns) * 1e-9
        signal = np.where(bank.is_drift > 0, since_s, 1.0)
        faded = fade * bank.response
        seen = signal - faded
        bank.response = faded + gain * seen
        bank.pull = bank.pull + seen[:, None] * innovation / spread_m2
        bank.weight = bank.weight + seen**2 / spread_m2
        bank.fixes = bank.fixes + 1
        self._wander = self._wander + gain * innovation
        self._variance_m2 *= 1.0 - gain
        likelihood = (bank.pull**2).sum(axis=1) / np.maximum(bank.weight, 1e-9)
        rate = np.hypot(*bank.pull.T) / np.maximum(bank.weight, 1e-9)
        best = int(likelihood.argmax())
        drifts = bool(bank.is_drift[best] > 0)
        self.suspicion = Suspicion(
            int(bank.time_ns[best]),
            float(likelihood[best]),
            float(rate[best] * signal[best]),
            float(rate[best]) if drifts else 0.0,
            int(bank.fixes[best]),
            float(since_s[best]),
        )

    def _begin_onsets(self, time_ns: int, before_ns: int) -> None:
        """A step begins with this fix, a drift with the one before."""
        bank = self._onsets
        if bank.time_ns.size and time_ns - bank.time_ns.max() < ONSET_EVERY_S * 1e9:
            return
        bank = bank.keep(bank.time_ns >= time_ns - ONSET_KEPT_S * 1e9)
        new = _Onsets(
            time_ns=np.array([time_ns, before_ns], np.int64),
            is_drift=np.array([0.0, 1.0]),
            response=np.zeros(2),
            pull=np.zeros((2, 2)),
            weight=np.zeros(2),
            fixes=np.zeros(2),
            wander=np.array([self._wander, self._wander]),
        )
        names = bank.__dataclass_fields__
        self._onsets = _Onsets(
            *(np.concatenate([getattr(bank, n), getattr(new, n)]) for n in names)
        )

    def _alarm(self, suspicion: Suspicion) -> None:
        began = int(np.flatnonzero(self._onsets.time_ns == suspicion.onset_ns)[0])
        self._before = self._onsets.wander[began]

    def _smooth(self, apart: Floats, dt: float) -> None:
        if self._smoothed is None:
            self._smoothed = apart
        share = 1.0 - math.exp(-dt / SMOOTHED_S)
        self._smoothed = self._smoothed + share * (apart - self._smoothed)


def _no_onsets() -> _Onsets:
    none = np.zeros(0)
    pairs = np.zeros((0, 2))
    return _Onsets(np.zeros(0, np.int64), none, none, pairs, none, none, pairs)
