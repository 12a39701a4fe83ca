import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.pack.compact_codes import (
    CODE_NUMBERS,
    code_distances,
    code_vectors,
    encode,
    nearest_codes,
    steps_per_unit,
)
from tests.onboard.hand_made_pack import clustered


@pytest.mark.parametrize("dim", [1, 16, 64, 256])
def test_estimated_distances_are_those_of_the_first_numbers(dim):
    vectors = clustered(500, dim)
    codes, first = encode(vectors), code_vectors(vectors)
    assert codes.shape == (500, min(dim, CODE_NUMBERS)) and codes.dtype == np.uint8
    true = 1.0 - first @ first[7]
    # A number is off by at most half a step, its square root sum by sqrt(n) / 2 of them; what is
    # cut off at 4 sigma is rare.
    off = np.sqrt(codes.shape[1]) / steps_per_unit(codes.shape[1])
    assert np.quantile(np.abs(code_distances(codes, codes[7]) - true), 0.95) < 2 * off
    assert code_distances(codes, codes[7])[7] == 0.0


@settings(deadline=None, max_examples=60)
@given(count=st.integers(0, 300), k=st.integers(1, 400), few=st.booleans(), seed=st.integers(0, 99))
def test_nearest_are_the_smallest_distances_ties_by_position(count, k, few, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(120, 122 if few else 256, (count, 8)).astype(np.uint8)
    query = rng.integers(120, 122, 8).astype(np.uint8)
    squared = ((codes.astype(int) - query.astype(int)) ** 2).sum(axis=1)
    expected = np.argsort(squared, kind="stable")[:k]
    positions, distances = nearest_codes(codes, query, k)
    assert np.array_equal(positions, expected)
    assert np.array_equal(distances, code_distances(codes, query)[expected])


def test_a_row_of_zeros_and_one_beyond_the_range():
    vectors = np.zeros((3, 64), np.float32)
    vectors[1, 0], vectors[2, 1] = 1.0, -5.0
    codes = encode(vectors)
    assert (codes[0] == 128).all()
    assert codes[1, 0] == 255 and codes[2, 1] == 0  # cut off at 4 sigma
    assert np.isfinite(code_distances(codes, codes[0])).all()
