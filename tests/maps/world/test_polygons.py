import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.world.polygons import area_m2, box, clip, densify, inset, long_axis, subdivide, voronoi

lengths = st.floats(5.0, 500.0)
angles = st.floats(0.0, 2 * math.pi)


def turned_box(length: float, width: float, angle: float) -> np.ndarray:
    return box(np.array([30.0, -12.0]), np.array([math.cos(angle), math.sin(angle)]), length, width)


@given(lengths, lengths, angles, angles, st.floats(-0.4, 0.4))
def test_clip_cuts_without_loss(
    length: float, width: float, angle: float, cut: float, shift: float
) -> None:
    shape = turned_box(length, width, angle)
    normal = np.array([math.cos(cut), math.sin(cut)])
    point = shape.mean(axis=0) + shift * min(length, width) * normal
    parts = [clip(shape, point, n) for n in (normal, -normal)]
    assert sum(area_m2(p) for p in parts if len(p)) == pytest.approx(length * width, rel=1e-6)


@given(st.floats(20.0, 300.0), st.floats(20.0, 300.0), angles, st.floats(0.1, 9.0))
def test_inset_of_a_box_is_the_smaller_box(
    length: float, width: float, angle: float, distance: float
) -> None:
    inner = inset(turned_box(length, width, angle), distance)
    expected = (length - 2 * distance) * (width - 2 * distance)
    assert area_m2(inner) == pytest.approx(expected, rel=1e-6)


def test_inset_of_a_thin_shape_is_nothing() -> None:
    assert len(inset(turned_box(100.0, 4.0, 0.3), 2.5)) == 0


@settings(max_examples=30)
@given(st.floats(50.0, 300.0), st.floats(50.0, 300.0), angles, st.integers(0, 99))
def test_subdivide_covers_the_whole(length: float, width: float, angle: float, seed: int) -> None:
    shape = turned_box(length, width, angle)
    parts = subdivide(shape, np.random.default_rng(seed), 2500.0)
    assert sum(map(area_m2, parts)) == pytest.approx(length * width, rel=1e-6)
    assert max(map(area_m2, parts)) < 2500.0 * 1.3


@given(st.integers(0, 999))
def test_voronoi_cells_cover_the_square_and_hold_their_sites(seed: int) -> None:
    sites = np.random.default_rng(seed).uniform(0, 100, (9, 2))
    cells = voronoi(sites, 0.0, 100.0)
    assert sum(area_m2(c) for c in cells if len(c)) == pytest.approx(100.0**2, rel=1e-6)
    for site, cell in zip(sites, cells, strict=True):
        nearest = [np.argmin(((sites - p) ** 2).sum(axis=1)) for p in (cell + site) / 2]
        assert all((sites[k] == site).all() for k in nearest)


@given(st.floats(10.0, 200.0), st.floats(10.0, 200.0), angles)
def test_long_axis_finds_the_box(length: float, width: float, angle: float) -> None:
    centre, along, longer, shorter = long_axis(turned_box(length, width, angle))
    assert longer == pytest.approx(max(length, width), rel=1e-3)
    assert shorter == pytest.approx(min(length, width), rel=1e-3)
    assert centre == pytest.approx((30.0, -12.0), abs=1e-2)
    assert np.hypot(*along) == pytest.approx(1.0)


def test_densify_keeps_corners_and_step() -> None:
    line = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 37.0]])
    dense = densify(line, 10.0, closed=False)
    assert np.hypot(*np.diff(dense, axis=0).T).max() <= 10.0 + 1e-9
    for corner in line:
        assert np.hypot(*(dense - corner).T).min() < 1e-9
