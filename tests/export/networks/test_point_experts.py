import pytest
import torch
import torch.nn.functional as F

from export.networks.point_experts import PointExperts


def test_width_of_the_paper():
    experts = PointExperts()
    assert experts(torch.randn(2, 1152)).shape == (2, 4096)
    assert experts.shared.weight.shape == (1024, 1152)


def test_equals_the_equations_written_out():
    torch.manual_seed(1)
    experts = PointExperts(20, 32, 3)
    x = torch.randn(5, 20)
    z = F.layer_norm(x, (20,))
    g = (z @ experts.gate.weight.T + experts.gate.bias).exp()
    g = g / g.sum(1, keepdim=True)
    parts = []
    for i, (first, _, second) in enumerate(experts.specific):
        hidden = F.gelu(z @ first.weight.T + first.bias)
        parts.append(g[:, i, None] * (hidden @ second.weight.T + second.bias))
    parts.append(z @ experts.shared.weight.T + experts.shared.bias)
    assert torch.allclose(experts(x), torch.cat(parts, 1), atol=1e-5)


def test_a_width_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="4097 numbers cannot be shared by 3"):
        PointExperts(out_dim=4097)
