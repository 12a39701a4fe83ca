"""Each aggregator as the descriptor of the small network."""

import numpy as np
import pytest
import torch

from export.networks.edge_branches import DESCRIPTOR_DIM, Aggregator, edge_branch
from export.networks.unifygeo_edge import UnifyGeoEdge


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    views = rng.integers(1, 255, (2, 128, 128, 1), dtype=np.uint8)
    views[1, :40] = 0
    return torch.from_numpy(views)


@pytest.mark.parametrize("aggregator", Aggregator)
@torch.no_grad()
def test_descriptor_is_of_unit_length_and_the_maps_do_not_depend_on_it(aggregator, pictures):
    torch.manual_seed(0)
    network = UnifyGeoEdge(edge_branch(aggregator, 128)).eval()
    descriptor, coarse, fine = network(pictures)
    assert descriptor.shape == (2, DESCRIPTOR_DIM)
    assert torch.allclose(descriptor.norm(dim=1), torch.ones(2), atol=1e-4)
    assert torch.allclose(network.descriptors(pictures), descriptor, atol=1e-5)
    torch.manual_seed(1)
    network.global_branch = edge_branch(aggregator, 128).eval()
    again = network(pictures)
    assert torch.equal(again[1], coarse) and torch.equal(again[2], fine)
    assert not torch.allclose(again[0], descriptor, atol=1e-3)


@torch.no_grad()
def test_a_picture_without_ground_has_a_finite_descriptor():
    black = torch.zeros((1, 128, 128, 3), dtype=torch.uint8)
    for aggregator in Aggregator:
        network = UnifyGeoEdge(edge_branch(aggregator, 128)).eval()
        assert torch.isfinite(network.descriptors(black)).all(), aggregator


def test_the_mixer_is_bound_to_its_picture_size(pictures):
    network = UnifyGeoEdge(edge_branch(Aggregator.MIXER, 256))
    with pytest.raises(ValueError, match="256 cells, not 64"):
        network.descriptors(pictures)


def test_edge_sisters_stay_below_twelve_million_parameters():
    for aggregator in (Aggregator.SALAD, Aggregator.MIXER):
        network = UnifyGeoEdge(edge_branch(aggregator, 256))
        assert sum(p.numel() for p in network.parameters()) < 12e6
