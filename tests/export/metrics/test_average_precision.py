"""Average precision against the reference's loop and against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.metrics.average_precision import (
    JunkRule,
    junk_of,
    step_precision,
    trapezoid_precision,
)
from export.metrics.ranking import find_positives


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Scores of a gallery, and which of them are right."""
    scores = draw(st.lists(st.integers(-5, 5), min_size=1, max_size=15))
    places = st.lists(st.integers(0, len(scores) - 1), unique=True, max_size=len(scores))
    return scores, draw(places)


def slow_trapezoids(ranks: list[int]) -> Fraction:
    area, right, old_precision = Fraction(0), 0, Fraction(1)
    for rank in range(max(ranks, default=-1) + 1):
        if rank not in ranks:
            continue
        old_precision = Fraction(right, rank) if rank else Fraction(1)
        right += 1
        area += (old_precision + Fraction(right, rank + 1)) / 2 / len(ranks)
    return area


def slow_steps(scores: list[int], right: list[int]) -> Fraction:
    area, recall = Fraction(0), Fraction(0)
    for threshold in sorted(set(scores), reverse=True):
        above = [i for i, s in enumerate(scores) if s >= threshold]
        good = sum(i in right for i in above)
        area += Fraction(good, len(above)) * (Fraction(good, len(right)) - recall)
        recall = Fraction(good, len(right))
    return area


@given(scored())
def test_both_kinds_equal_exact_fractions(case: tuple[list[int], list[int]]) -> None:
    scores, right = case
    (found,) = find_positives(np.array([scores], np.float32), [tuple(right)])
    ranks = [int(r) for r in found.ranks]
    assert trapezoid_precision(found, len(right)) == pytest.approx(
        float(slow_trapezoids(ranks)), rel=1e-15
    )
    expected = float(slow_steps(scores, right)) if right else 0.0
    assert step_precision(found, len(right)) == pytest.approx(expected, rel=1e-15)


def test_a_positive_that_is_not_found_counts_as_missed() -> None:
    row = np.array([[0.9, -np.inf, 0.1]], np.float32)
    (found,) = find_positives(row, [(0, 1)])
    assert trapezoid_precision(found, 2) == 0.5
    assert step_precision(found, 2) == 0.5


def test_junk_rules_differ_in_the_distractors() -> None:
    queries, gallery = ["1", "2"], ["1", "2", "3", "-1"]
    assert junk_of(queries, gallery, JunkRule.ORIGINAL).tolist() == [False, False, False, True]
    assert junk_of(queries, gallery, JunkRule.SAMPLE4GEO).tolist() == [False, False, True, True]
    row = np.array([[0.5, 0.1, 0.9, 0.99]], np.float32)
    for rule, place in ((JunkRule.ORIGINAL, 1), (JunkRule.SAMPLE4GEO, 0)):
        (found,) = find_positives(row, [(0,)], junk_of(queries, gallery, rule))
        assert found.ranks.tolist() == [place]
