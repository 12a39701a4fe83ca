import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.losses.unifygeo import (
    gaussian_labels,
    level_labels,
    location_loss,
    matching_loss,
    rerank_loss,
)

TILE_PX = 384
places = st.tuples(st.floats(0, TILE_PX), st.floats(0, TILE_PX))


def label_of(place):
    return gaussian_labels(torch.tensor([place]), TILE_PX)


@settings(max_examples=25)
@given(places)
def test_label_is_the_gaussian_around_the_place(place):
    label = label_of(place)[0].numpy()
    middle = np.arange(TILE_PX) + 0.5
    want = np.exp(-((middle[:, None] - place[1]) ** 2 + (middle[None] - place[0]) ** 2) / 32.0)
    np.testing.assert_allclose(label, want / want.sum(), atol=1e-6)


@settings(max_examples=25)
@given(places)
def test_level_labels_have_their_peak_where_the_place_is(place):
    for cells in (12, 24, 48, 96):
        label = level_labels(label_of(place), cells)[0]
        assert float(label.sum()) == pytest.approx(1.0, abs=1e-5)
        row, column = divmod(int(label.argmax()), cells)
        stride = TILE_PX // cells
        # the largest pixel's cell; a place on a border belongs to either
        for at, cell in ((place[0], column), (place[1], row)):
            assert cell * stride - 1 <= at <= (cell + 1) * stride + 1


def test_a_place_outside_points_to_the_edge():
    label = label_of((-500.0, 100.2))[0]
    assert torch.isfinite(label).all() and int(label.argmax()) == 100 * TILE_PX


@pytest.mark.parametrize("seed", range(3))
def test_matching_loss_is_its_formula(seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(3, 6, 6, generator=generator) * 2 - 1
    labels = torch.rand(3, 6, 6, generator=generator) ** 4
    labels = labels / labels.sum((1, 2), keepdim=True)
    total = 0.0
    for s, w in zip(scores.double().numpy(), labels.double().numpy(), strict=True):
        share = np.exp(s / 0.1) / np.exp(s / 0.1).sum()
        positive = w > 0.01
        total += (w[positive] * -np.log(share[positive])).sum() / w[positive].sum()
    assert float(matching_loss(scores, labels)) == pytest.approx(total / 3, rel=1e-5)


def test_matching_loss_survives_what_plain_exp_does_not():
    scores = torch.full((1, 4, 4), -60.0)
    scores[0, 1, 1] = 60.0  # exp(600) is infinite
    label = torch.zeros(1, 4, 4)
    label[0, 1, 1] = 1
    assert float(matching_loss(scores, label)) == pytest.approx(0.0, abs=1e-6)


def test_location_loss_of_the_label_itself_is_its_entropy():
    label = gaussian_labels(torch.tensor([[20.0, 30.0], [5.5, 40.0]]), 64)
    entropy = -(label * label.clamp_min(1e-30).log()).sum((1, 2)).mean()
    assert float(location_loss(label.clamp_min(1e-30).log(), label)) == pytest.approx(
        float(entropy), rel=1e-4
    )
    assert float(location_loss(torch.zeros_like(label), label)) == pytest.approx(math.log(64**2))


@pytest.mark.parametrize("seed", range(3))
def test_rerank_loss_is_a_softmax_over_tiles_and_cells(seed):
    generator = torch.Generator().manual_seed(seed)
    cosines = torch.rand(3, 3, 2, 2, generator=generator) * 2 - 1
    labels = torch.rand(3, 2, 2, generator=generator)
    labels = labels / labels.sum((1, 2), keepdim=True)
    total, scale = 0.0, 1 / 0.07
    for i, (view, label) in enumerate(zip(cosines.double(), labels.double(), strict=True)):
        log_sum = math.log(sum(math.exp(scale * float(c)) for c in view.flatten()))
        for cell in range(4):
            chosen = float(view[i].flatten()[cell])
            total -= float(label.flatten()[cell]) * (scale * chosen - log_sum)
    got = rerank_loss(cosines, labels, torch.tensor(math.log(scale)))
    assert float(got) == pytest.approx(total / 3, rel=1e-5)


def test_rerank_loss_asks_other_tiles_too():
    cosines = torch.zeros(2, 2, 3, 3)
    label = torch.zeros(2, 3, 3)
    label[:, 1, 1] = 1
    cosines[[0, 1], [0, 1], 1, 1] = 1.0
    scale = torch.tensor(3.0)
    right = rerank_loss(cosines, label, scale)
    cosines[0, 1, 2, 2] = 1.0  # a cell of another tile looks just as good
    assert float(rerank_loss(cosines, label, scale)) > float(right) + 0.2
