import math
import os

import numpy as np
import pytest
import torch
from by_hand import arrays, randomise
from by_hand import dinov2 as dinov2_by_hand
from by_hand import mixvpr as mixvpr_by_hand
from torch import nn

from export.networks.dinov2 import DinoV2
from export.networks.geolink import GeoLink

MAX_ERROR = 1e-4
CASE = ("base", 448) if os.environ.get("PILOTAGE_FULL_PARITY") else ("small", 112)


@torch.no_grad()
def test_equals_an_independent_computation():
    size, px = CASE
    network = GeoLink(px, size).eval()
    randomise(network, 5)
    network.load_state_dict(network.state_dict())
    pictures = torch.randn(1, 3, px, px)
    _, features = dinov2_by_hand(arrays(network, "model.backbone.dino_model."), pictures)
    expected = mixvpr_by_hand(arrays(network, "model.aggregator."), features)
    error = np.abs(network(pictures).numpy() - expected).max()
    print(f"GeoLink {size} at {px} px: {error:.2g}")
    assert error < MAX_ERROR


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return GeoLink()


def test_parameter_counts_are_the_papers(full):
    """90.50 M by thop, which counts linear, convolution and norm layers only."""
    counted = (nn.Linear, nn.Conv2d, nn.LayerNorm)
    layers = [m for m in full.modules() if isinstance(m, counted)]
    assert sum(p.numel() for m in layers for p in m.parameters()) == 90_500_868
    assert sum(p.numel() for p in full.model.parameters()) == 91_572_996


def test_the_layout_is_that_of_cv_cities(full):
    with torch.device("meta"):
        backbone = DinoV2("base", 448, final_norm=False).state_dict()
    state = full.state_dict()
    expected = {f"model.backbone.dino_model.{k}" for k in backbone} | {"logit_scale"}
    for layer in ("mix.0.mix.", "mix.1.mix."):
        expected |= {f"model.aggregator.{layer}{i}.{w}" for i in (0, 1, 3) for w in WEIGHTS}
    expected |= {f"model.aggregator.{n}_proj.{w}" for n in ("channel", "row") for w in WEIGHTS}
    assert set(state) == expected
    assert not any(k.startswith("model.backbone.dino_model.norm.") for k in state)
    assert state["model.aggregator.mix.0.mix.1.weight"].shape == (1024, 1024)


WEIGHTS = ("weight", "bias")


def test_scale_starts_where_it_should():
    assert GeoLink(56, "small").logit_scale.item() == pytest.approx(math.log(1 / 0.07))


def test_the_last_four_blocks_and_the_mixer_learn(full):
    learning = [n for n, p in full.named_parameters() if p.requires_grad]
    blocks = {int(n.split(".")[4]) for n in learning if ".blocks." in n}
    assert blocks == {8, 9, 10, 11}
    others = [n for n in learning if ".blocks." not in n]
    assert all(n.startswith("model.aggregator.") or n == "logit_scale" for n in others)


def test_descriptors_have_4096_numbers(full):
    assert full(torch.empty(3, 3, 448, 448, device="meta")).shape == (3, 4096)


def test_starts_from_released_dinov2(tmp_path):
    released = DinoV2("small", 56)
    torch.save(released.state_dict(), tmp_path / "dinov2.pth")
    network = GeoLink(56, "small")
    network.start_from(tmp_path / "dinov2.pth")
    ours = network.model.backbone.dino_model
    assert torch.equal(ours.blocks[11].mlp.fc2.weight, released.blocks[11].mlp.fc2.weight)
    assert torch.equal(ours.pos_embed, released.pos_embed)
