"""Metres within the tile: the peak's place by each grid, and the rule of R@1m."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.datasets.retrieval_set import TileTruth
from export.metrics.localization import HeatmapGrid, peak_error_m, recall_within_m

METRES_PER_PX = 0.11


@given(st.integers(0, 383), st.integers(0, 383), st.sampled_from(HeatmapGrid))
def test_a_peak_at_the_truth_has_no_error(row: int, col: int, grid: HeatmapGrid) -> None:
    heatmap = np.zeros((384, 384), np.float32)
    heatmap[row, col] = 1.0
    place = {
        HeatmapGrid.CENTRES: lambda i: (i + 0.5) / 384 * 640,
        HeatmapGrid.CCVPE: lambda i: i / 383 * 640,
        HeatmapGrid.CORNERS: lambda i: i / 383 * 640,
    }[grid]
    truth = TileTruth(place(col), place(row), 640, METRES_PER_PX)
    assert peak_error_m(heatmap, truth, grid) == pytest.approx(0.0, abs=1e-9)


def test_error_is_measured_in_the_tiles_own_pixels() -> None:
    heatmap = np.zeros((384, 384), np.float32)
    heatmap[100, 200] = 1.0
    true_row, true_col = (100.5 + 3) * 640 / 384, (200.5 - 4) * 640 / 384
    truth = TileTruth(true_col, true_row, 640, METRES_PER_PX)
    expected = 5 * 640 / 384 * METRES_PER_PX
    assert peak_error_m(heatmap, truth) == pytest.approx(expected, rel=1e-9)
    assert peak_error_m(heatmap, truth, HeatmapGrid.CCVPE) == pytest.approx(expected, rel=0.15)


def test_recall_in_metres_needs_the_tile_and_the_place() -> None:
    ranks = np.array([1, 1, 2, 1])
    errors = np.array([0.5, 1.5, 0.1, np.nan])
    assert recall_within_m(ranks, errors, 1.0) == 0.25
    assert recall_within_m(ranks, errors, 10.0) == 0.5
