"""Networks in PyTorch behind the benchmark's contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.benchmark.model import LocatingModel
from export.benchmark.network_model import SharedTower, load_model
from export.benchmark.unifygeo_model import UnifyGeoModel
from export.datasets.retrieval_set import View
from export.networks.convnext import Shape
from export.networks.pooled_convnext import PooledConvNext
from export.networks.pooling import Gem
from export.networks.registry import NETWORKS, NetworkEntry
from export.networks.unifygeo import UnifyGeo
from onboard.errors import InputError

INPUT_PX = 64
SHAPE = Shape((1, 1, 1, 1), (12, 24, 36, 48))
TILE_PX, PANORAMA_PX = 64, (64, 128)


def pictures(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (count, height, width, 3)).astype(np.uint8)


def network_input(bgr: np.ndarray) -> torch.Tensor:
    """Written differently from what is tested."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = (bgr[:, :, :, [2, 1, 0]].astype(np.float64) / 255 - mean) / deviation
    return torch.from_numpy(np.moveaxis(values, 3, 1).astype(np.float32))


def tiny_network(input_px: int, checkpointing: bool) -> PooledConvNext:
    return PooledConvNext(Gem(SHAPE.dims[-1]), SHAPE, checkpointing)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network that is small."""
    entry = NetworkEntry("tiny", f"{__name__}:tiny_network", INPUT_PX, 48, "of the tests")
    monkeypatch.setitem(NETWORKS, "tiny", entry)
    return entry.name


def test_a_checkpoint_describes_as_the_network_it_was_taken_from(tmp_path: Path, tiny: str) -> None:
    torch.manual_seed(0)
    network = tiny_network(INPUT_PX, False).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    model = load_model(tiny, tmp_path / "weights.pth")
    assert model.size(View.DRONE, (384, 384)) == (INPUT_PX, INPUT_PX)
    assert model.size(View.GROUND, (140, 768)) == (140, 768)
    assert not isinstance(model, LocatingModel)
    views = pictures(3, INPUT_PX, INPUT_PX)
    with torch.inference_mode():
        expected = network(network_input(views)).numpy()
    np.testing.assert_allclose(model.describe(views, View.DRONE), expected, atol=1e-5)


def test_other_weights_are_another_model(tmp_path: Path, tiny: str) -> None:
    found = set()
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        torch.save(tiny_network(INPUT_PX, False).state_dict(), tmp_path / "weights.pth")
        found.add(load_model(tiny, tmp_path / "weights.pth").sha256)
    found.add(load_model(tiny, tmp_path / "weights.pth", 96).sha256)
    assert len(found) == 3


def test_a_missing_checkpoint_is_named(tmp_path: Path, tiny: str) -> None:
    with pytest.raises(InputError, match=r"nothing\.pth"):
        load_model(tiny, tmp_path / "nothing.pth")


def test_ground_pictures_go_square_into_transformers() -> None:
    tower = SharedTower("any", "0", torch.nn.Conv2d(3, 1, 1), 322)
    assert tower.size(View.GROUND, (140, 768)) == (322, 322)


def test_unifygeo_reranks_by_similarity_and_best_match() -> None:
    torch.manual_seed(1)
    network = UnifyGeo(SHAPE, PANORAMA_PX).eval()
    model = UnifyGeoModel("small", "0", network, TILE_PX)
    assert isinstance(model, LocatingModel)
    assert model.size(View.GROUND, (140, 768)) == PANORAMA_PX
    assert model.size(View.SATELLITE, (384, 384)) == (TILE_PX, TILE_PX)
    for other in (View.DRONE, View.STREET):
        with pytest.raises(InputError, match=f"{other.value} pictures"):
            model.size(other, (384, 384))
    view = pictures(1, *PANORAMA_PX)
    tiles = pictures(3, TILE_PX, TILE_PX, seed=1)
    similarities = np.array([0.3, 0.2, 0.1], np.float32)
    scores, heatmap = model.examine(view[0], list(tiles), similarities, tiles[1])
    with torch.inference_mode():
        answers = network(network_input(np.repeat(view, 3, 0)), network_input(tiles))
    best = answers.rerank[0].flatten(1).amax(1).numpy()
    np.testing.assert_allclose(scores, similarities + best, atol=1e-5)
    assert heatmap is not None
    np.testing.assert_allclose(heatmap, answers.logits[1].numpy(), atol=1e-4)
    described = model.describe(tiles, View.SATELLITE)
    np.testing.assert_allclose(described, answers.overhead.numpy(), atol=1e-5)
