"""What the tried places say of those between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from maps.localizability.findings import Findings, Tried

NEAREST = 6  # tried places that speak for one between them
# What counts as much as lying one place further away: a difference of these sizes.
LIKE_PLAIN, LIKE_WATER, LIKE_FOREST, LIKE_STRUCTURE = 0.1, 0.15, 0.25, 0.3


def spread(findings: Sequence[Findings]) -> list[Findings]:
    """Every place with `tried`: its own, or the mean of tried places that lie near and look
    like it, `views` then 0. At least one must have been tried."""
    tried = [f for f in findings if f.tried is not None]
    at = np.array([_coordinates(f) for f in tried])
    # The distance between tried places is the unit in which the others are apart.
    spacing = max(1.0, float(np.sqrt(len(findings) / max(len(tried), 1))))
    out = []
    for f in findings:
        if f.tried is not None:
            out.append(f)
            continue
        apart = (at - _coordinates(f)) / np.array([spacing, spacing, 1, 1, 1, 1])
        d2 = (apart**2).sum(1)
        nearest = np.argsort(d2, kind="stable")[:NEAREST]
        weights = (0.25 + d2[nearest]) ** -2
        shown = [t for i in nearest if (t := tried[i].tried) is not None]
        out.append(replace(f, tried=_mean(shown, weights)))
    return out


def _coordinates(f: Findings) -> np.ndarray:
    c = f.cover
    return np.array(
        [
            f.place.row,
            f.place.col,
            c.plain / LIKE_PLAIN,
            c.water / LIKE_WATER,
            c.forest / LIKE_FOREST,
            c.structure / LIKE_STRUCTURE,
        ]
    )


def _mean(tried: Sequence[Tried], weights: np.ndarray) -> Tried:
    values = {}
    for field in fields(Tried):
        if field.type == "float":
            each = [getattr(t, field.name) for t in tried]
            values[field.name] = float(np.average(each, weights=weights))
    known = [(t.sigma_px, w) for t, w in zip(tried, weights, strict=True) if t.sigma_px]
    whole = sum(w for _, w in known)
    sigma_px = float(sum(s * w for s, w in known) / whole) if known else None
    most = tried[int(np.argmax(weights))]
    return Tried(**values, sigma_px=sigma_px, refused=most.refused, views=0)
