"""Ranks against slow, obvious oracles; similarities are coarse so that many are equal."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.metrics.ranking import (
    NEVER,
    OnePercent,
    find_positives,
    first_ranks,
    hits,
    one_percent,
    recall_at,
    strict_ranks,
)
from export.metrics.similarity import best_places, similarity_blocks

Answers = tuple[tuple[int, ...], ...]


@st.composite
def rankings(draw: st.DrawFn) -> tuple[NDArray[np.float32], Answers, Answers, NDArray[np.bool_]]:
    """(q, G) similarities, positives, spared ones, junk."""
    queries, gallery = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    steps = st.integers(-4, 4) | st.just(-99)
    cells = draw(st.lists(steps, min_size=queries * gallery, max_size=queries * gallery))
    block = np.array(cells, np.float32).reshape(queries, gallery) / 4
    block[block < -9] = -np.inf
    some = st.lists(st.integers(0, gallery - 1), unique=True, max_size=gallery).map(tuple)
    positives = tuple(draw(some) for _ in range(queries))
    spared = tuple(draw(some) for _ in range(queries))
    junk = np.array(draw(st.lists(st.booleans(), min_size=gallery, max_size=gallery)), bool)
    return block, positives, spared, junk


def slow_order(row: NDArray[np.float32]) -> list[int]:
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


@given(rankings())
def test_strict_ranks_and_hits(case: tuple) -> None:
    block, positives, spared, _ = case
    ranks = strict_ranks(block, positives)
    found = hits(block, positives, spared)
    for q, row in enumerate(block):
        own = [row[p] for p in positives[q] if np.isfinite(row[p])]
        if not own:
            assert ranks[q] == NEVER
            assert not found[q]
            continue
        best = max(own)
        assert ranks[q] == 1 + len([s for s in row if s > best])
        rivals = [row[i] for i in range(len(row)) if i not in positives[q] and i not in spared[q]]
        assert found[q] == (not any(s > best for s in rivals))
        assert found[q] or ranks[q] > 1


@given(rankings())
def test_positives_are_found_where_a_sort_puts_them(case: tuple) -> None:
    block, positives, _, junk = case
    for q, got in enumerate(find_positives(block, positives, junk)):
        order = [i for i in slow_order(block[q]) if not junk[i]]
        right = [i for i in positives[q] if np.isfinite(block[q, i])]
        assert got.ranks.tolist() == [r for r, i in enumerate(order) if i in right]
        reached = [sum(block[q, j] >= block[q, i] for j in order) for i in order if i in right]
        assert got.reached.tolist() == reached


@given(rankings(), st.integers(1, 6))
def test_cmc_is_the_share_of_first_right_answers(case: tuple, k: int) -> None:
    block, positives, _, junk = case
    ranks = first_ranks(find_positives(block, positives, junk))
    good = 0
    for row, own in zip(block, positives, strict=True):
        order = [i for i in slow_order(row) if not junk[i] and np.isfinite(row[i])]
        good += any(i in own for i in order[:k])
    assert recall_at(ranks, k) == good / len(block)


@given(rankings(), st.integers(0, 14))
def test_best_places_are_the_head_of_the_sorted_list(case: tuple, count: int) -> None:
    for row in case[0]:
        assert best_places(row, count).tolist() == slow_order(row)[:count]


def test_what_one_percent_means() -> None:
    assert one_percent(8884, OnePercent.SAMPLE4GEO) == 88
    assert one_percent(60, OnePercent.SAMPLE4GEO) == 1
    assert one_percent(951, OnePercent.UNIVERSITY) == 11  # CMC[10] of a list from 0
    assert one_percent(250, OnePercent.UNIVERSITY) == 3  # round(2.5) is 2


def test_blocks_are_the_product_however_they_are_cut() -> None:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((37, 8)).astype(np.float32)
    gallery = rng.standard_normal((51, 8)).astype(np.float32)
    gallery[7] = np.nan
    parts = list(similarity_blocks(queries, gallery, block_bytes=4 * 51 * 5))
    assert [first for first, _ in parts] == list(range(0, 37, 5))
    whole = np.concatenate([block for _, block in parts])
    assert np.all(np.isneginf(whole[:, 7]))
    rest = np.delete(np.arange(51), 7)
    np.testing.assert_allclose(whole[:, rest], queries @ gallery[rest].T, atol=1e-5)


def test_random_descriptors_find_one_in_n() -> None:
    rng = np.random.default_rng(1)
    count, gallery = 4000, 50
    queries = rng.standard_normal((count, 16)).astype(np.float32)
    against = rng.standard_normal((gallery, 16)).astype(np.float32)
    positives = [(int(p),) for p in rng.integers(0, gallery, count)]
    ranks = np.concatenate(
        [
            strict_ranks(block, positives[first : first + len(block)])
            for first, block in similarity_blocks(queries, against, block_bytes=1 << 16)
        ]
    )
    for k in (1, 5, 10):
        expected = k / gallery
        assert abs(recall_at(ranks, k) - expected) < 4 * np.sqrt(expected / count)
