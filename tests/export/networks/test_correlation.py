import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.networks.correlation import ShiftCorrelation


def slow(view, tile, first, last):
    """The definition, cell by cell."""
    _, n, _ = view.shape
    m = tile.shape[1]
    out = np.zeros((last - first + 1,) * 2)
    for i in range(first, last + 1):
        for j in range(first, last + 1):
            for y in range(n):
                for x in range(n):
                    if 0 <= y + i < m and 0 <= x + j < m:
                        out[i - first, j - first] += (view[:, y, x] * tile[:, y + i, x + j]).sum()
    return out


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 5), st.integers(2, 7), st.integers(-4, 0), st.integers(0, 4), st.integers(0, 99)
)
def test_every_shift_is_the_plain_sum(n, m, first, last, seed):
    rng = np.random.default_rng(seed)
    view = rng.normal(size=(1, 2, n, n)).astype(np.float32)
    tile = rng.normal(size=(1, 2, m, m)).astype(np.float32)
    shift = ShiftCorrelation(n, m, first, last)
    got = shift.paired(torch.from_numpy(view), torch.from_numpy(tile))[0].numpy()
    assert np.abs(got - slow(view[0], tile[0], first, last)).max() < 1e-4


def test_all_pairs_and_broadcast_agree_with_pairs():
    torch.manual_seed(0)
    views, tiles = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    shift = ShiftCorrelation(4, 4, -2, 2)
    every = shift.all_pairs(views, tiles)
    assert every.shape == (3, 3, 5, 5)
    assert torch.allclose(shift.paired(views, tiles), every[range(3), range(3)], atol=1e-5)
    assert torch.allclose(shift.paired(views[:1], tiles), every[0], atol=1e-5)


def test_gradient_reaches_both_pictures():
    view = torch.randn(1, 1, 4, 4, requires_grad=True)
    tile = torch.randn(1, 1, 4, 4, requires_grad=True)
    ShiftCorrelation(4, 4, -2, 2).paired(view, tile)[0, 2, 2].backward()
    assert view.grad is not None and tile.grad is not None
    assert torch.allclose(view.grad, tile.detach(), atol=1e-5)
    assert torch.allclose(tile.grad, view.detach(), atol=1e-5)


@pytest.mark.parametrize("cells", [8, 24, 64])
def test_large_maps_stay_exact(cells):
    torch.manual_seed(1)
    maps = torch.randn(1, 4, cells, cells)
    shift = ShiftCorrelation(cells, cells, -cells // 2, cells // 2)
    middle = shift.paired(maps, maps)[0, cells // 2, cells // 2]
    assert float(middle) == pytest.approx(float((maps * maps).sum()), rel=1e-5)
