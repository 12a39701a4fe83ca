"""How well predictions and measured shares go together, and the fit of the model."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.localizability.findings import Findings, of_row
from maps.localizability.model import features, predict
from onboard.messages import Floats

BOOTSTRAPS = 2000
LEAST_FRAMES = 4  # of a place with drawn frames; photographs stand for themselves
RIDGE = 1.0  # of the fit, on features of unit spread: too few grounds to trust a large weight
NEWTON_STEPS = 50
SIGNS = np.array([0, 1, 1, 1, 1, -1])  # of `model.Coefficients`


@dataclass(frozen=True)
class Measured:
    """Places of one ground: (N,) predicted chances and measured shares, with a prior and
    without; halves: (N, 2) shares of every other frame with a prior."""

    name: str
    findings: tuple[Findings, ...]
    chance: Floats
    chance_alone: Floats
    share: Floats
    share_alone: Floats
    halves: Floats
    frames: int


def read_measured(name: str, folder: Path, least_frames: int = LEAST_FRAMES) -> Measured | None:
    """What a study wrote about one ground; None where it has not yet."""
    if not (folder / "flown.done").exists() or not (folder / "findings.jsonl").exists():
        return None
    lines = (folder / "findings.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    found = {(f.place.row, f.place.col): f for f in (of_row(json.loads(line)) for line in lines)}
    flown: dict[tuple[int, int], list[tuple[bool, bool]]] = defaultdict(list)
    rows = [json.loads(x) for x in (folder / "flown.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        flown[(row["row"], row["col"])].append((row["prior"], row["alone"]))
    places = [p for p in sorted(flown) if p in found and len(flown[p]) >= least_frames]
    if not places:
        return None
    findings = tuple(found[p] for p in places)
    predicted = [predict(f, 1.0, 100.0, 0.0) for f in findings]
    shares = np.array([np.mean(flown[p], axis=0) for p in places], np.float64)
    halves = [[np.mean([r[0] for r in flown[p][k::2]]) for k in (0, 1)] for p in places]
    return Measured(
        name,
        findings,
        np.array([p.chance for p in predicted]),
        np.array([p.chance_alone for p in predicted]),
        shares[:, 0],
        shares[:, 1],
        np.array(halves, np.float64),
        sum(len(flown[p]) for p in places),
    )


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Rank correlation, ties by their mean rank; NaN where one side is all alike."""
    if len(a) < 3:
        return float("nan")
    ra, rb = _ranks(a), _ranks(b)
    if ra.std() == 0 or rb.std() == 0:
        return float("nan")
    return float(np.corrcoef(ra, rb)[0, 1])


def bootstrap(a: Floats, b: Floats, seed: int = 1) -> tuple[float, float]:
    """The 95 % interval of `spearman` over places drawn anew."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(BOOTSTRAPS):
        i = rng.integers(0, len(a), len(a))
        value = spearman(a[i], b[i])
        if np.isfinite(value):
            drawn.append(value)
    if not drawn:
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def lines_of(measured: Sequence[Measured]) -> list[str]:
    """A line a ground and one for all. ceiling: what a perfect prediction would reach against so
    few frames, from how far two halves of them agree."""
    out = [f"{'ground':32} places frames   share  predicted  rho (ceiling)    alone: share  rho"]
    for m in measured:
        low, high = bootstrap(m.chance, m.share)
        out.append(
            f"{m.name:32} {len(m.share):6} {m.frames:6}  {m.share.mean():6.2f} "
            f"{m.chance.mean():10.2f}  {spearman(m.chance, m.share):5.2f} "
            f"[{low:5.2f}, {high:5.2f}] ({_ceiling(m.halves):4.2f})  {m.share_alone.mean():6.2f} "
            f"{spearman(m.chance_alone, m.share_alone):5.2f}"
        )
    names = ("chance", "share", "chance_alone", "share_alone")
    chance, share, alone, share_alone = (
        np.concatenate([getattr(m, n) for m in measured]) for n in names
    )
    for what, a, b in (("with a prior", chance, share), ("without", alone, share_alone)):
        low, high = bootstrap(a, b)
        within = [
            (spearman(getattr(m, x), getattr(m, y)), len(m.share))
            for m in measured
            for x, y in [names[:2] if what == "with a prior" else names[2:]]
        ]
        known = [(r, n) for r, n in within if np.isfinite(r)]
        mean = sum(r * n for r, n in known) / max(1, sum(n for _, n in known))
        out.append(
            f"all, {what}: n {len(a)} places, rho {spearman(a, b):.2f} [{low:.2f}, {high:.2f}]; "
            f"within grounds, by their places: {mean:.2f}; Brier {np.mean((a - b) ** 2):.3f} "
            f"(mean share alone: {np.var(b):.3f})"
        )
    means = np.array([(m.chance.mean(), m.share.mean()) for m in measured])
    out.append(f"between grounds: n {len(means)}, rho {spearman(means[:, 0], means[:, 1]):.2f}")
    return out


def fitted(measured: Sequence[Measured], alone: bool) -> list[float]:
    """Coefficients of a ridge logistic regression, in the order of `model.features`. Every
    ground counts alike, however many places it has."""
    x, y, weight = [], [], []
    for m in measured:
        for f, share in zip(m.findings, m.share_alone if alone else m.share, strict=True):
            assert f.tried is not None
            x.append(features(f, f.tried, alone))
            y.append(share)
            weight.append(1.0 / len(m.share) ** 0.5)
    features_of = np.array(x)
    spread = features_of.std(0)
    spread[0] = 1.0
    spread[spread == 0] = 1.0
    z, shares = features_of / spread, np.array(y)
    w = np.array(weight) / np.mean(weight)
    used = np.ones(z.shape[1], bool)
    while True:
        beta = np.zeros(z.shape[1])
        beta[used] = _ridge(z[:, used], shares, w)
        wrong = used & (beta * SIGNS < 0)
        if not wrong.any():
            return [float(b) for b in beta / spread]
        used &= ~wrong  # a sign that makes no sense is noise


def _ridge(z: Floats, shares: Floats, w: Floats) -> Floats:
    """Newton's steps; the first column, the constant, goes without penalty."""
    penalty = RIDGE * np.eye(z.shape[1])
    penalty[0, 0] = 1e-6
    beta = np.zeros(z.shape[1])
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-z @ beta))
        gradient = z.T @ (w * (shares - p)) - penalty @ beta
        hessian = (z * (w * p * (1 - p))[:, None]).T @ z + penalty
        beta = beta + np.linalg.solve(hessian, gradient)
    return beta


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse.ravel()], np.float64)


def _ceiling(halves: Floats) -> float:
    """Square root of the reliability (Spearman-Brown) of all frames."""
    half = spearman(halves[:, 0], halves[:, 1])
    return float(np.sqrt(max(0.0, 2 * half / (1 + half)))) if np.isfinite(half) else float("nan")
