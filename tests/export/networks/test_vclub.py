import torch

from export.networks.vclub import VClub


def slow_bound(club: VClub, x: torch.Tensor, y: torch.Tensor) -> float:
    """Every pair by itself: mean of log q(y_i|x_i) less the mean of all log q(y_j|x_i)."""
    mean, log_variance = club.mean(x), club.log_variance(x)
    n, total = len(x), 0.0
    for i in range(n):
        for d in range(y.shape[1]):
            own = -((mean[i, d] - y[i, d]) ** 2) / (2 * log_variance[i, d].exp())
            other = 0.0
            for j in range(n):
                other -= float((y[j, d] - mean[i, d]) ** 2 / (2 * log_variance[i, d].exp())) / n
            total += (float(own) - other) / n
    return total


def trained(x: torch.Tensor, y: torch.Tensor) -> VClub:
    torch.manual_seed(0)
    club = VClub(x.shape[1], y.shape[1], 32)
    optimizer = torch.optim.Adam(club.parameters(), 5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        club.estimator_loss(x, y).backward()
        optimizer.step()
    return club


def test_bound_equals_the_double_loop():
    torch.manual_seed(2)
    club, x, y = VClub(6, 4, 16), torch.randn(7, 6), torch.randn(7, 4)
    with torch.no_grad():
        assert abs(float(club(x, y)) - slow_bound(club, x, y)) < 1e-5


def test_estimator_loss_is_the_gaussian_likelihood_up_to_a_constant():
    torch.manual_seed(3)
    club, x, y = VClub(6, 4, 16), torch.randn(9, 6), torch.randn(9, 4)
    normal = torch.distributions.Normal(club.mean(x), (0.5 * club.log_variance(x)).exp())
    log_q = normal.log_prob(y).mean() + 0.5 * torch.log(torch.tensor(2 * torch.pi))
    assert torch.allclose(club.estimator_loss(x, y), -2 * log_q, atol=1e-5)


def test_bound_tells_dependent_from_independent():
    torch.manual_seed(4)
    x, noise = torch.randn(1000, 2), torch.randn(1000, 2)
    correlation = 0.8
    y = correlation * x + (1 - correlation**2) ** 0.5 * noise
    of_noise, of_y = trained(x, noise), trained(x, y)
    with torch.no_grad():
        apart, joint = float(of_noise(x, noise)), float(of_y(x, y))
    # two Gaussian pairs of correlation r share -log(1 - r^2) nats
    shared = -torch.log(torch.tensor(1 - correlation**2)).item()
    assert abs(apart) < 0.1
    assert joint > 0.9 * shared


def test_each_loss_trains_its_own_side_only():
    club = VClub(6, 4, 16)
    x, y = torch.randn(5, 6, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    club.estimator_loss(x, y).backward()
    assert x.grad is None and y.grad is None
    assert all(p.grad is not None for p in club.parameters())
    club.zero_grad(set_to_none=True)
    bound = club.frozen_bound(x, y)
    bound.backward()
    assert torch.equal(bound, club(x, y))
    assert x.grad is not None and y.grad is not None
    assert all(p.grad is None for p in club.parameters())
