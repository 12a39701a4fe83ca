import math
import re

import numpy as np
import pytest
import torch

from export.networks.point_nn import FEATURE_DIM, farthest_points, point_nn


def slow_point_nn(xyz: np.ndarray) -> np.ndarray:
    """The formulas of the facts sheet, written out point by point in double precision."""

    def embed(p, channels):
        n = channels // 6
        out = []
        for axis in range(3):
            for i in range(n):
                angle = 100.0 * p[:, axis] / 1000.0 ** (i / n)
                out += [np.sin(angle), np.cos(angle)]
        return np.array(out).T

    features = embed(xyz, 72)
    for count in (512, 256, 128, 64):
        centres = [0]
        while len(centres) < count:
            gap = np.min([((xyz - xyz[c]) ** 2).sum(1) for c in centres], axis=0)
            centres.append(int(gap.argmax()))
        near = [np.argsort(((xyz - xyz[c]) ** 2).sum(1), kind="stable")[:90] for c in centres]
        relative = np.array([xyz[k] - xyz[c] for c, k in zip(centres, near, strict=True)])
        difference = np.array(
            [features[k] - features[c] for c, k in zip(centres, near, strict=True)]
        )
        relative /= relative.std(ddof=1) + 1e-5
        difference /= difference.std(ddof=1) + 1e-5
        pooled = []
        for g, c in enumerate(centres):
            x = np.array([np.concatenate([row, features[c]]) for row in difference[g]])
            code = embed(relative[g], x.shape[1])
            rows = (x + code) * code
            pooled.append(np.max(rows, axis=0) + np.mean(rows, axis=0))
        x = np.array(pooled) / math.sqrt(1 + 1e-5)
        features = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
        xyz = xyz[centres]
    return features.max(0) + features.mean(0)


def cloud(seed: int, points: int = 520) -> torch.Tensor:
    return torch.rand(points, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_farthest_points_starts_at_zero_and_spreads():
    line = torch.tensor([[0.0, 0, 0], [1, 0, 0], [10, 0, 0], [6, 0, 0]])
    assert farthest_points(line, 4).tolist() == [0, 2, 3, 1]


def test_fewer_distinct_points_than_wanted_repeat_the_first():
    twice = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]])
    assert farthest_points(twice, 4).tolist() == [0, 1, 0, 0]


def test_equals_the_formulas_written_out():
    xyz = cloud(1, 512)
    fast = point_nn(xyz[None])[0].numpy()
    slow = slow_point_nn(xyz.double().numpy())
    assert fast.shape == (FEATURE_DIM,)
    assert np.abs(fast - slow).max() <= 1e-4 * np.abs(slow).max()


def test_a_sample_does_not_depend_on_its_companions():
    a, b = cloud(1), 0.1 * cloud(2)
    assert torch.equal(point_nn(torch.stack((a, b)))[0], point_nn(a[None])[0])


def test_the_order_of_the_points_after_the_first_does_not_matter():
    a = cloud(3)
    shuffled = torch.cat((a[:1], a[1:].flip(0)))
    assert torch.allclose(point_nn(a[None]), point_nn(shuffled[None]), rtol=1e-4, atol=1e-3)


def test_points_drawn_twice_are_taken():
    a = cloud(4, 300)
    assert torch.isfinite(point_nn(torch.cat((a, a))[None])).all()


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (torch.zeros(1, 511, 3), "511 points"),
        (torch.zeros(600, 3), "(600, 3)"),
        (torch.full((1, 600, 3), math.nan), "not a finite"),
    ],
)
def test_unfit_points_are_refused(points, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        point_nn(points)
