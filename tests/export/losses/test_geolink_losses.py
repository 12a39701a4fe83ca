import math

import pytest
import torch
import torch.nn.functional as F

from export.losses.geolink import (
    cross_view_loss,
    relation_difference,
    relation_distillation_loss,
    self_contrast_loss,
    structure_loss,
)
from export.networks.vclub import VClub

LOG_SCALE = torch.tensor(math.log(1 / 0.07))


def features(seed: int, n: int = 6, dim: int = 8) -> torch.Tensor:
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)))


def slow_nce(a: torch.Tensor, b: torch.Tensor) -> float:
    """Both directions, label smoothing 0.1, sample by sample."""
    n, total = len(a), 0.0
    for rows, columns in ((a, b), (b, a)):
        for i in range(n):
            logits = [float(rows[i] @ columns[j]) / 0.07 for j in range(n)]
            log_sum = math.log(sum(math.exp(v) for v in logits))
            for j in range(n):
                label = 0.1 / n + (0.9 if i == j else 0.0)
                total -= label * (logits[j] - log_sum) / (2 * n)
    return total


def slow_relation(student: torch.Tensor, teacher: torch.Tensor) -> float:
    n = len(student)

    def table(x):
        d = {(i, j): float((x[i] - x[j]).norm()) for i in range(n) for j in range(n) if i != j}
        return {k: v / sum(d.values()) for k, v in d.items()}

    s, t = table(student), table(teacher)
    return sum((s[k] - t[k]) ** 2 for k in s) / (n * (n - 1))


def test_cross_view_loss_sums_the_three_pairs():
    d, s, c = features(1), features(2), features(3)
    expected = slow_nce(d, s) + slow_nce(d, c) + slow_nce(s, c)
    assert float(cross_view_loss(d, s, c, LOG_SCALE)) == pytest.approx(expected, rel=1e-5)
    assert float(cross_view_loss(d, s, None, LOG_SCALE)) == pytest.approx(slow_nce(d, s), rel=1e-5)


def test_self_contrast_takes_each_sample_as_its_own_positive():
    d, s, c = features(1), features(2), features(3)
    expected = slow_nce(d, d) + slow_nce(s, s) + slow_nce(c, c)
    assert float(self_contrast_loss(d, s, c, LOG_SCALE)) == pytest.approx(expected, rel=1e-5)
    pictures = slow_nce(d, d) + slow_nce(s, s)
    assert float(self_contrast_loss(d, s, None, LOG_SCALE)) == pytest.approx(pictures, rel=1e-5)


def test_relation_difference_equals_the_double_loop():
    student, teacher = features(4), features(5, dim=12)
    fast = float(relation_difference(student, teacher))
    assert fast == pytest.approx(slow_relation(student, teacher), rel=1e-4)


def test_relations_do_not_change_with_scale_shift_or_rotation():
    teacher = features(6)
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    assert float(relation_difference(3.0 * teacher @ turn + 1.0, teacher)) < 1e-12


def test_relation_distillation_teaches_both_views_and_not_the_teacher():
    d, s, c = (features(i).requires_grad_() for i in (1, 2, 3))
    relation_distillation_loss(d, s, c).backward()
    assert c.grad is None
    for grad in (d.grad, s.grad):
        assert grad is not None and torch.isfinite(grad).all() and grad.abs().max() > 0


def test_two_equal_samples_have_a_finite_gradient():
    same = features(1)[:1].repeat(3, 1).requires_grad_()
    relation_difference(same, features(2)[:3]).backward()
    assert same.grad is not None and torch.isfinite(same.grad).all()


def test_a_single_sample_is_refused():
    with pytest.raises(ValueError, match="no relations"):
        relation_difference(features(1)[:1], features(2)[:1])


def test_structure_loss_sums_both_bounds():
    torch.manual_seed(1)
    d, s, c = features(1), features(2), features(3, dim=5)
    of_drone, of_satellite = VClub(5, 8, 16), VClub(5, 8, 16)
    expected = of_drone(c, d) + of_satellite(c, s)
    assert torch.allclose(structure_loss(d, s, c, of_drone, of_satellite), expected)
