"""Batches in pieces give what the whole would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.inference.batches import run_in_pieces


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


def test_batches_of_different_lengths_are_refused():
    inputs = {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))}
    with pytest.raises(ValueError, match="different batches"):
        run_in_pieces(lambda outputs, given: [], ["x"], inputs, ("a", "b"), 16)
