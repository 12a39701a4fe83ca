import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from export.losses.multi_similarity import multi_similarity


def by_hand(descriptors, labels, margin=0.1):
    """Pair by pair, from the paper's formulas, in double precision."""
    n = len(labels)
    s = [[float(a.double() @ b.double()) for b in descriptors] for a in descriptors]
    total = 0.0
    for i in range(n):
        positives = [s[i][j] for j in range(n) if j != i and labels[j] == labels[i]]
        negatives = [s[i][j] for j in range(n) if labels[j] != labels[i]]
        if not positives or not negatives:
            continue
        hard_p = [v for v in positives if v < max(negatives) + margin]
        hard_n = [v for v in negatives if v > min(positives) - margin]
        total += math.log1p(sum(math.exp(-v) for v in hard_p))
        total += math.log1p(sum(math.exp(50 * v) for v in hard_n)) / 50
    return total / n


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=9), st.integers(0, 99))
def test_equals_the_formula(labels, seed):
    generator = torch.Generator().manual_seed(seed)
    d = F.normalize(torch.randn(len(labels), 5, generator=generator), dim=1)
    expected = by_hand(d, labels)
    assert float(multi_similarity(d, torch.tensor(labels))) == pytest.approx(expected, abs=1e-5)


def test_places_apart_cost_nothing_and_give_no_nan():
    d = torch.eye(4).repeat_interleave(2, 0).requires_grad_()
    labels = torch.arange(4).repeat_interleave(2)
    loss = multi_similarity(d, labels)
    loss.backward()
    assert float(loss.detach()) == 0 and float(d.grad.abs().sum()) == 0


def test_descending_separates_the_places():
    torch.manual_seed(0)
    raw = torch.randn(24, 8, requires_grad=True)
    labels = torch.arange(6).repeat_interleave(4)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        multi_similarity(F.normalize(raw, dim=1), labels).backward()
        optimizer.step()
    s = F.normalize(raw, dim=1) @ F.normalize(raw, dim=1).T
    same = labels[:, None] == labels[None]
    assert s[same].min() > s[~same].max()
