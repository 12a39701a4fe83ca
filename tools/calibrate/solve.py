"""The unknowns of `model` by robust least squares, and which of them the flight can tell at all.

Every unknown has a prior, so that what the flight does not tell stays where it was; it counts
as told when the flight narrows its prior to a third. What isn't told is held at its given value
and the rest is solved again: no number is made up by sharing an error among the two that
cause it alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onboard.messages import Floats
from tools.calibrate.model import ATTITUDE_DELAY, HEIGHT, MAP, NAMES, Model

# One sigma of what may be wrong before anything was seen, in the order of NAMES.
ANGLE_SIGMA = np.radians(10.0)  # a mounting as drawn or guessed
FOCAL_SIGMA = 0.2  # lens sheets, EXIF's rounded equivalents
MAP_SIGMA_M = 8.0  # common satellite tiles: 8 m RMS (CIESIN 2013)
DELAY_SIGMA_S = 0.3
LARGEST_DELAY_S = 1.5  # what `sightings` waits for, and more than any camera takes
TOLD_SHARE = 1 / 3
# First guess of a frame's own errors, scaled to what is found: receiver from frame to frame,
# ground relief and attitude; relief in the scale; the yaw.
FRAME_SIGMA_M = 1.5
FRAME_SIGMA_RAD = np.radians(0.7)
SCALE_SIGMA = 0.02
TURN_SIGMA_RAD = np.radians(1.5)
# Norm of a frame's four residuals at which it counts by half; 2 is what chance gives.
CAUCHY = 3.5
MIN_FRAMES = 6
ITERATIONS, PLAIN_ITERATIONS = 40, 4
CONVERGED = 1e-4  # of a sigma
BLOCKS = 8  # of the jackknife: frames near in time err alike


@dataclass(frozen=True)
class Solution:
    """unknowns, sigmas: (9,) in the order of `model.NAMES`. told: which the flight tells.
    correlation: (9, 9) of all, as far as the flight tells them.
    residual_m: (N, 2) of the views' centres, outlier: (N,). frame_sigma_m, frame_sigma_rad:
    how far one frame's centre scatters, and as an angle seen from the vehicle; scale_sigma (a
    share) and turn_sigma_rad likewise."""

    unknowns: Floats
    sigmas: Floats
    told: NDArray[np.bool_]
    correlation: Floats
    residual_m: Floats
    outlier: NDArray[np.bool_]
    frame_sigma_m: float
    frame_sigma_rad: float
    scale_sigma: float
    turn_sigma_rad: float

    def sigma_of(self, name: str) -> float:
        return float(self.sigmas[NAMES.index(name)])

    def value_of(self, name: str) -> float:
        return float(self.unknowns[NAMES.index(name)])

    def tells(self, name: str) -> bool:
        return bool(self.told[NAMES.index(name)])


def solve(model: Model, attitude_delay_s: float, height_sigma_m: float) -> Solution:
    """Raises ValueError when there are fewer than MIN_FRAMES sightings."""
    count = len(model.agl_m)
    if count < MIN_FRAMES:
        raise ValueError(f"only {count} frames were located, {MIN_FRAMES} are needed")
    prior_sigmas = np.array(
        [*[ANGLE_SIGMA] * 3, FOCAL_SIGMA, height_sigma_m, *[MAP_SIGMA_M] * 2, *[DELAY_SIGMA_S] * 2]
    )
    given = np.zeros(len(NAMES))
    given[ATTITUDE_DELAY] = attitude_delay_s
    problem = _Problem(model, given, prior_sigmas)
    everything = np.ones(len(NAMES), bool)
    weights = np.ones(count)
    found = problem.fit(given, everything, weights)
    problem.learn_noise(found)
    found = problem.fit(found, everything, weights)
    covariance = problem.covariance(found, everything, weights)
    by_noise = np.sqrt(np.diag(covariance))
    spread = np.maximum(by_noise, problem.jackknife(found, everything))
    told = spread <= TOLD_SHARE * prior_sigmas
    sigmas = spread
    if not told.all():
        free = told.copy()
        free[HEIGHT] = free[MAP] = True  # what is no camera's takes up what is left
        found = problem.fit(np.where(free, found, given), free, weights)
        narrower = np.sqrt(np.diag(problem.covariance(found, free, weights)))
        narrower = np.maximum(narrower, problem.jackknife(found, free))
        sigmas = np.where(told, narrower, spread)
    residual = problem.residuals(found)
    return Solution(
        unknowns=found,
        sigmas=sigmas,
        told=told,
        correlation=covariance / np.outer(by_noise, by_noise),
        residual_m=residual[:, :2] * problem.sigmas[:, :2],
        outlier=np.linalg.norm(residual, axis=1) > 2 * CAUCHY,
        frame_sigma_m=float(np.median(problem.sigmas[:, 0])),
        frame_sigma_rad=float(np.median(problem.sigmas[:, 0] / model.agl_m)),
        scale_sigma=float(problem.sigmas[0, 2]),
        turn_sigma_rad=float(problem.sigmas[0, 3]),
    )


class _Problem:
    def __init__(self, model: Model, given: Floats, prior_sigmas: Floats) -> None:
        self._model = model
        self._given = given
        self._prior_sigmas = prior_sigmas
        place = np.hypot(FRAME_SIGMA_M, model.agl_m * FRAME_SIGMA_RAD)
        place = np.hypot(place, model.match_sigma_m)
        same = np.ones_like(place)
        self.sigmas = np.stack([place, place, SCALE_SIGMA * same, TURN_SIGMA_RAD * same], axis=1)

    def residuals(self, unknowns: Floats) -> Floats:
        """(N, 4): centre east and north, scale, turn, in sigmas."""
        predicted = self._model.predict(unknowns)
        place = predicted.centre_m - self._model.met_m[:, 0]
        size, turn = np.log(np.abs(predicted.turn_scale)), np.angle(predicted.turn_scale)
        in_units = np.concatenate([place, size[:, None], turn[:, None]], axis=1)
        return np.asarray(in_units / self.sigmas, np.float64)

    def learn_noise(self, unknowns: Floats) -> None:
        """Scales each kind of error to what the frames show (median absolute deviation)."""
        residuals = np.abs(self.residuals(unknowns))
        for columns in (slice(0, 2), slice(2, 3), slice(3, 4)):
            self.sigmas[:, columns] *= np.clip(1.4826 * np.median(residuals[:, columns]), 0.2, 10)

    def fit(self, start: Floats, free: NDArray[np.bool_], frame_weights: Floats) -> Floats:
        """Gauss-Newton, plain at first, then with Cauchy's weights."""
        unknowns: Floats = start.copy()
        for iteration in range(ITERATIONS):
            robust = iteration >= PLAIN_ITERATIONS
            normal, gradient = self._normal(unknowns, frame_weights, robust)
            normal, gradient = normal[np.ix_(free, free)], gradient[free]
            step = np.zeros_like(unknowns)
            step[free] = -np.linalg.solve(normal, gradient)
            unknowns = unknowns + step
            delays = slice(ATTITUDE_DELAY, ATTITUDE_DELAY + 2)
            unknowns[delays] = np.clip(unknowns[delays], -LARGEST_DELAY_S, LARGEST_DELAY_S)
            share = np.abs(step[free]) * np.sqrt(np.diag(normal))
            if robust and share.max() < CONVERGED:
                break
        return unknowns

    def covariance(
        self, unknowns: Floats, free: NDArray[np.bool_], frame_weights: Floats
    ) -> Floats:
        normal, _ = self._normal(unknowns, frame_weights, robust=True)
        covariance = np.zeros_like(normal)
        covariance[np.ix_(free, free)] = np.linalg.inv(normal[np.ix_(free, free)])
        return covariance

    def jackknife(self, unknowns: Floats, free: NDArray[np.bool_]) -> Floats:
        """(9,) spread of the solutions without one stretch of the flight each."""
        stretch = np.arange(len(self.sigmas)) * BLOCKS // len(self.sigmas)
        kinds = np.unique(stretch)
        found = [self.fit(unknowns, free, (stretch != k).astype(float)) for k in kinds]
        n = len(kinds)
        return np.asarray(np.sqrt((n - 1) * np.var(np.array(found), axis=0)), np.float64)

    def _normal(
        self, unknowns: Floats, frame_weights: Floats, robust: bool
    ) -> tuple[Floats, Floats]:
        residuals = self.residuals(unknowns)
        steps = 1e-4 * self._prior_sigmas
        jacobian = np.stack(
            [
                (self.residuals(unknowns + dx) - self.residuals(unknowns - dx)) / (2 * step)
                for dx, step in zip(np.diag(steps), steps, strict=True)
            ],
            axis=2,
        )
        weights = frame_weights
        if robust:
            weights = weights / (1.0 + (residuals**2).sum(axis=1) / CAUCHY**2)
        normal = np.einsum("n,nri,nrj->ij", weights, jacobian, jacobian)
        gradient = np.einsum("n,nri,nr->i", weights, jacobian, residuals)
        normal += np.diag(self._prior_sigmas**-2.0)
        gradient += (unknowns - self._given) / self._prior_sigmas**2
        return normal, gradient
