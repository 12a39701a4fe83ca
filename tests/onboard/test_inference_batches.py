"""Batches in pieces give what the whole would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.inference.batches import fixed_batch, run_in_pieces


@given(length=st.integers(1, 40), largest=st.integers(1, 16))
def test_pieces_are_joined_in_order_and_none_is_too_large(length, largest):
    seen = []

    def once(outputs, inputs):
        seen.append(len(inputs["tiles"]))
        assert inputs["view"].shape == (1, 2)
        answers = {"sum": inputs["tiles"] + inputs["view"], "tiles": inputs["tiles"]}
        return [answers[name] for name in outputs]

    tiles = np.arange(length * 2).reshape(length, 2)
    view = np.array([[100, 200]])
    both = run_in_pieces(
        once, ["sum", "tiles"], {"view": view, "tiles": tiles}, ("tiles",), largest
    )
    np.testing.assert_array_equal(both[0], tiles + view)
    np.testing.assert_array_equal(both[1], tiles)
    assert max(seen) <= largest and sum(seen) == length
    assert len(seen) == -(-length // largest)


@given(length=st.integers(1, 40), batch=st.integers(1, 16))
def test_a_fixed_batch_is_filled_up_and_cut(length, batch):
    def once(outputs, inputs):
        assert len(inputs["tiles"]) == batch
        return [inputs["tiles"] * 2]

    tiles = np.arange(length * 2).reshape(length, 2)
    (doubled,) = run_in_pieces(once, ["x"], {"tiles": tiles}, ("tiles",), batch, fixed=True)
    np.testing.assert_array_equal(doubled, tiles * 2)


@pytest.mark.parametrize(
    ("shapes", "batch"),
    [
        ([[4, 256, 256, 3]], 4),
        ([[1, 8], [1, 9]], 1),
        ([["batch", 3]], None),
        ([[-1, 3]], None),
        ([[1, 8], ["batch", 8]], None),
        ([[1, 8], [2, 8]], None),
        ([[]], None),
    ],
)
def test_whether_a_graph_takes_one_batch_only(shapes, batch):
    assert fixed_batch(shapes) == batch


def test_batches_of_different_lengths_are_refused():
    inputs = {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))}
    with pytest.raises(ValueError, match="different batches"):
        run_in_pieces(lambda outputs, given: [], ["x"], inputs, ("a", "b"), 16)
