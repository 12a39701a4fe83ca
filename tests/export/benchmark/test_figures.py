"""Every protocol's figures on sets small enough to count by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.figures import measure
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, View
from export.metrics.average_precision import JunkRule

DEG_M = math.radians(1) * 6_378_137.0


def directions(*angles_deg: float) -> np.ndarray:
    """Unit vectors in the plane: the nearer in angle, the more similar."""
    angles = np.radians(angles_deg)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def small_set(
    protocol: Protocol,
    labels: tuple[list[str], list[str]],
    positives: tuple[tuple[int, ...], ...],
    semi: tuple[tuple[int, ...], ...] = (),
    positions: bool = False,
) -> RetrievalSet:
    """positions: gallery item i at latitude 30 + 0.001 i, query i at the same."""
    queries, gallery = (
        tuple(
            Item(
                Path(f"{i}.png"), label, (30.0 + 0.001 * i, 120.0) if positions else None, None, 50
            )
            for i, label in enumerate(own)
        )
        for own in labels
    )
    views = View.DRONE, View.SATELLITE
    return RetrievalSet(
        "small", protocol, *views, (8, 8), (8, 8), queries, gallery, positives, semi
    )


def test_classes_in_both_gallery_modes() -> None:
    pairs = small_set(Protocol.CLASSES, (["1", "2"], ["1", "2", "3"]), ((0,), (1,)))
    queries, gallery = directions(0, 50), directions(20, 60, 5)
    original = measure(pairs, queries, gallery)
    assert (original["R@1"], original["R@5"]) == (0.5, 1.0)
    assert original["AP"] == pytest.approx((0.25 + 1.0) / 2)  # places 1 and 0
    assert original["AP step"] == pytest.approx((0.5 + 1.0) / 2)
    without = measure(pairs, queries, gallery, JunkRule.SAMPLE4GEO)
    assert (without["R@1"], without["AP"]) == (1.0, 1.0)


def test_pairs_are_counted_by_what_is_strictly_more_similar() -> None:
    pairs = small_set(Protocol.PAIRS, (["0", "1"], ["0", "1", "2"]), ((0,), (1,)))
    figures = measure(pairs, directions(0, 40), directions(0, 30, 0))
    assert figures["R@1"] == 1.0  # a tie is no loss
    assert "hit" not in figures
    assert "AP" not in figures


def test_a_semi_positive_in_front_costs_r1_and_not_the_hit() -> None:
    pairs = small_set(Protocol.TILES, (["0", "1"], ["0", "1", "2"]), ((0,), (1,)), ((1,), (2,)))
    figures = measure(pairs, directions(0, -90), directions(10, -5, -60))
    assert figures["R@1"] == 0.0
    assert figures["hit"] == 1.0


def test_positions_give_distances_of_the_first_answers() -> None:
    labels = (["0", "1"], ["0", "1", "2"])
    pairs = small_set(Protocol.POSITIONS, labels, ((0,), (1,)), positions=True)
    figures = measure(pairs, directions(0, 90), directions(2, 40, 80))
    step_m = 0.001 * DEG_M
    assert figures["Dis@1 m"] == pytest.approx(step_m / 2)
    assert figures["MA@100"] == 0.5
    assert figures["SDM@1"] == pytest.approx((1 + math.exp(-5)) / 2)
    assert figures["SDM m@1"] == pytest.approx((1 + math.exp(-0.001 * step_m)) / 2)
    far = 1 / (1 + math.exp(6 * (step_m / 50 - 0.9)))
    assert figures["PDM@1"] == pytest.approx((1 / (1 + math.exp(-5.4)) + far) / 2)


@pytest.mark.parametrize("protocol", Protocol)
def test_what_could_not_be_described_is_a_miss(protocol: Protocol) -> None:
    labels = (["0", "1", "2"], ["0", "1", "2"])
    own = ((0,), (1,), (2,))
    pairs = small_set(protocol, labels, own, positions=protocol is Protocol.POSITIONS)
    queries, gallery = directions(0, 60, 120), directions(0, 60, 120)
    queries[0] = np.nan
    gallery[2] = np.nan
    figures = measure(pairs, queries, gallery)
    assert figures["R@1"] == pytest.approx(1 / 3)
    assert figures["R@10"] == pytest.approx(1 / 3)
    if protocol is Protocol.POSITIONS:
        assert figures["MA@5"] == pytest.approx(1 / 3)
        assert figures["SDM@1"] == pytest.approx((1 + math.exp(-5)) / 3)


def test_random_descriptors_find_one_in_n() -> None:
    rng = np.random.default_rng(4)
    gallery, count = 40, 1500
    labels = [str(i) for i in range(gallery)], [str(i) for i in range(gallery)]
    own = [int(i) for i in rng.integers(0, gallery, count)]
    for protocol in (Protocol.CLASSES, Protocol.PAIRS):
        pairs = small_set(
            protocol, ([labels[0][i] for i in own], labels[1]), tuple((i,) for i in own)
        )
        described = [rng.standard_normal((n, 32)).astype(np.float32) for n in (count, gallery)]
        assert measure(pairs, *described)["R@1"] == pytest.approx(1 / gallery, abs=0.016)
