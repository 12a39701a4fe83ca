import os

import numpy as np
import pytest
import torch
from by_hand import arrays, randomise
from by_hand import dinov2 as dinov2_by_hand
from by_hand import salad as salad_by_hand

from export.checkpoints import load_weights
from export.networks.dinov2 import DinoV2
from export.networks.gengeo import FULL, SLIM_544, SLIM_2112, GenGeo

MAX_ERROR = 1e-4
CASE = ("base", 322, FULL) if os.environ.get("PILOTAGE_FULL_PARITY") else ("small", 126, SLIM_544)


def probe(px, batch=1):
    return torch.randn(batch, 3, px, px, generator=torch.Generator().manual_seed(px))


@torch.no_grad()
def test_equals_an_independent_computation():
    size, px, shape = CASE
    network = GenGeo(px, shape, size).eval()
    randomise(network, 5)
    network.load_state_dict(network.state_dict())
    token, features = dinov2_by_hand(arrays(network, "backbone.model."), probe(px))
    expected = salad_by_hand(arrays(network, "aggregator."), features, token)
    error = np.abs(network(probe(px)).numpy() - expected).max()
    print(f"GenGeo {size} at {px} px: {error:.2g}")
    assert error < MAX_ERROR


def test_the_layout_is_that_of_dino_salad():
    with torch.device("meta"):
        network, backbone = GenGeo(), DinoV2("base", 322)
    state = network.state_dict()
    parts = {k.split(".")[0] for k in state}
    assert parts == {"backbone", "aggregator"} and len(state) == 175 + 13
    of_backbone = {k for k in state if k.startswith("backbone.")}
    assert of_backbone == {f"backbone.model.{k}" for k in backbone.state_dict()}
    assert sum(v.numel() for v in state.values()) == 86_580_480 + 1_411_009


@pytest.mark.parametrize(("shape", "length"), [(FULL, 8448), (SLIM_2112, 2112), (SLIM_544, 544)])
def test_descriptor_lengths(shape, length):
    with torch.device("meta"):
        assert GenGeo(224, shape)(torch.empty(2, 3, 224, 224)).shape == (2, length)


def test_the_last_four_blocks_the_norm_and_the_aggregator_learn():
    with torch.device("meta"):
        network = GenGeo(126)
    learning = {n for n, p in network.named_parameters() if p.requires_grad}
    blocks = {int(n.split(".")[3]) for n in learning if ".blocks." in n}
    assert blocks == {8, 9, 10, 11}
    others = {n for n in learning if ".blocks." not in n and not n.startswith("aggregator.")}
    assert others == {"backbone.model.norm.weight", "backbone.model.norm.bias"}
    assert sum(n.startswith("aggregator.") for n in learning) == 13


def test_starts_from_released_dinov2_and_goes_on_from_its_own(tmp_path):
    released = DinoV2("small", 126)
    torch.save(released.state_dict(), tmp_path / "dinov2.pth")
    network, other = GenGeo(126, SLIM_544, "small"), GenGeo(140, SLIM_544, "small")
    network.start_from(tmp_path / "dinov2.pth")
    assert torch.equal(network.backbone.model.blocks[5].ls1.gamma, released.blocks[5].ls1.gamma)
    assert torch.equal(network.backbone.model.position_table, released.position_table)
    torch.save(network.state_dict(), tmp_path / "gengeo.pth")
    load_weights(other, tmp_path / "gengeo.pth")
    assert torch.equal(other.aggregator.score[0].weight, network.aggregator.score[0].weight)


def test_too_small_pictures_are_refused_before_the_first():
    with torch.device("meta"):
        with pytest.raises(ValueError, match=r"112 px give 64 tokens.* 64 clusters"):
            GenGeo(112)
        GenGeo(112, SLIM_544)
        GenGeo(112, dustbin=False)
