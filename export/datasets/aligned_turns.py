"""Turning and mirroring a panorama and its north-up tile together, and the camera's place too.

The panorama's middle column looks north and its columns go clockwise, as in VIGOR, CVUSA and
CVACT. (`augment_pair` turns the same way, for pairs without a place in the tile.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onboard.messages import Picture


@dataclass(frozen=True)
class AlignedPair:
    """panorama (H,W,3), W a multiple of 4; tile (S,S,3); col_px, row_px: the camera in the tile,
    where the corner of the first pixel is (0, 0)."""

    panorama: Picture
    tile: Picture
    col_px: float
    row_px: float


def flipped(pair: AlignedPair) -> AlignedPair:
    """East and west change places."""
    side = pair.tile.shape[1]
    return AlignedPair(pair.panorama[:, ::-1], pair.tile[:, ::-1], side - pair.col_px, pair.row_px)


def turned(pair: AlignedPair, quarters: int) -> AlignedPair:
    """The tile turned counter-clockwise: what was east is up, and in the panorama's middle."""
    side = pair.tile.shape[1]
    col, row = pair.col_px, pair.row_px
    for _ in range(quarters % 4):
        col, row = row, side - col
    quarter = pair.panorama.shape[1] // 4
    panorama = np.roll(pair.panorama, -quarter * quarters, axis=1)
    return AlignedPair(panorama, np.rot90(pair.tile, quarters), col, row)


def at_random(
    pair: AlignedPair, mirror: float, quarter_turn: float, rng: np.random.Generator
) -> AlignedPair:
    """mirror, quarter_turn: probabilities (0..1) of a mirroring and of one to three quarters."""
    if rng.random() < mirror:
        pair = flipped(pair)
    if rng.random() < quarter_turn:
        pair = turned(pair, int(rng.integers(1, 4)))
    return pair
