import math

import pytest
import torch
import torch.nn.functional as F

from export.losses.infonce import MAX_SCALE, symmetric_infonce, weighted_infonce

LOG_SCALE = torch.tensor(math.log(1 / 0.07))


def descriptors(n, dim=16, seed=0):
    torch.manual_seed(seed)
    a = F.normalize(torch.randn(n, dim), dim=1)
    return a, F.normalize(a + 0.8 * torch.randn(n, dim), dim=1)


def by_hand(a, b, scale, smoothing):
    """Every row and column on its own, from the formula, in double precision."""
    total, n = 0.0, len(a)
    for x, y in ((a, b), (b, a)):
        for i in range(n):
            logits = [scale * float(x[i].double() @ y[j].double()) for j in range(n)]
            log_sum = math.log(sum(math.exp(v) for v in logits))
            log_p = [v - log_sum for v in logits]
            total += -(1 - smoothing[i]) * log_p[i] - smoothing[i] * sum(log_p) / n
    return total / (2 * n)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_the_formula(smoothing):
    a, b = descriptors(7)
    expected = by_hand(a, b, 1 / 0.07, [smoothing] * 7)
    assert float(symmetric_infonce(a, b, LOG_SCALE, smoothing)) == pytest.approx(expected, rel=1e-5)


def test_is_symmetric_and_least_on_the_diagonal():
    a, b = descriptors(12)
    assert torch.allclose(symmetric_infonce(a, b, LOG_SCALE), symmetric_infonce(b, a, LOG_SCALE))
    assert symmetric_infonce(a, b, LOG_SCALE) < symmetric_infonce(a, b.roll(1, 0), LOG_SCALE)


def test_scale_is_learned_up_to_its_cap():
    a, b = descriptors(6)
    for start, moves in ((1.0, True), (math.log(MAX_SCALE) + 1, False)):
        log_scale = torch.tensor(start, requires_grad=True)
        symmetric_infonce(a, b, log_scale).backward()
        assert (float(log_scale.grad) != 0) is moves
    capped = symmetric_infonce(a, b, torch.tensor(50.0))
    assert torch.equal(capped, symmetric_infonce(a, b, torch.tensor(math.log(MAX_SCALE) + 3)))


def test_is_computed_in_fp32_under_autocast():
    a, b = descriptors(6)
    outside = symmetric_infonce(a, b, LOG_SCALE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ b.T).dtype == torch.bfloat16
        assert torch.equal(symmetric_infonce(a, b, LOG_SCALE), outside)


def test_overlap_sets_each_pairs_smoothing():
    a, b = descriptors(5)
    iou = torch.tensor([0.0, 0.14, 0.39, 0.8, 1.0])
    smoothing = [1 - 1 / (1 + math.exp(-5 * v)) for v in iou.tolist()]
    assert smoothing[0] == 0.5 and smoothing[4] == pytest.approx(0.0067, abs=1e-4)
    expected = by_hand(a, b, 1 / 0.07, smoothing)
    assert float(weighted_infonce(a, b, LOG_SCALE, iou)) == pytest.approx(expected, rel=1e-5)


def test_steep_weights_are_plain_infonce():
    a, b = descriptors(9)
    weighted = weighted_infonce(a, b, LOG_SCALE, torch.ones(9), steepness=1e4)
    assert torch.allclose(weighted, symmetric_infonce(a, b, LOG_SCALE, 0.0), atol=1e-6)


def test_pairs_that_hardly_overlap_pull_less():
    """The gradient towards the own partner falls with the overlap."""
    a, b = descriptors(8)
    pulls = []
    for overlap in (0.05, 0.9):
        views = a.clone().requires_grad_()
        weighted_infonce(views, b, torch.tensor(0.0), torch.full((8,), overlap)).backward()
        pulls.append(float(-(views.grad * b).sum()))
    assert pulls[0] < pulls[1]
