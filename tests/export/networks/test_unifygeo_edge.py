import cv2
import numpy as np
import pytest
import torch

from export.networks.map_matching import HeatmapDecoder, PatchMatcher
from export.networks.unifygeo_edge import UnifyGeoEdge, load_xfeat, unit

MAX_PARAMETERS = 6_000_000
MAX_DESCRIPTOR = 256


def texture(seed: int, size: int = 512) -> np.ndarray:
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            rng.normal(size=(size // s, size // s)), (size, size), interpolation=cv2.INTER_CUBIC
        )
        for s in (4, 16, 64)
    ]
    gray = np.clip(128 + 30 * sum(layers), 1, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UnifyGeoEdge().eval()


@torch.no_grad()
def encode(network, *pictures):
    return network(torch.from_numpy(np.stack(pictures)))


def test_size_limits(network):
    decoder = HeatmapDecoder()
    assert sum(p.numel() for m in (network, decoder) for p in m.parameters()) <= MAX_PARAMETERS
    descriptor, coarse, fine = encode(network, texture(0)[:256, :256])
    assert descriptor.shape[1] <= MAX_DESCRIPTOR
    assert coarse.shape[1:] == (64, 32, 32) and fine.shape[1:] == (32, 64, 64)
    assert float(descriptor.norm()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_flat_pictures_give_numbers(network, value):
    for output in encode(network, np.full((256, 256, 3), value, np.uint8)):
        assert torch.isfinite(output).all()


def test_black_ground_says_nothing(network):
    picture = texture(1)[:256, :256].copy()
    picture[:, :128] = 0
    _, coarse, fine = encode(network, picture)
    assert float(coarse[:, :, :, :15].abs().max()) == 0.0
    assert float(fine[:, :, :, :31].abs().max()) == 0.0
    assert float(coarse[:, :, :, 17:].norm(dim=1).min()) > 0.0


def test_brightness_and_contrast_change_nothing(network):
    picture = (texture(2)[:256, :256] // 2 + 20).astype(np.uint8)
    brighter = (picture + 60).astype(np.uint8)
    a, b = encode(network, picture, brighter)[0]
    assert float(a @ b) > 0.999


@torch.no_grad()
def test_heatmap_follows_the_shift():
    """With feature maps of pure noise, so that it holds for any weights of the encoder."""
    torch.manual_seed(0)
    decoder = HeatmapDecoder().eval()
    coarse8, fine4 = unit(torch.randn(1, 64, 64, 64)), unit(torch.randn(1, 32, 128, 128))
    dx, dy = 32, -16  # the tile is cut further right and higher up: the view lies left and below

    def crop(maps, stride, x, y):
        n = 256 // stride
        x, y = (128 + x) // stride, (128 + y) // stride
        return maps[:, :, y : y + n, x : x + n]

    heatmap, _ = decoder(
        crop(coarse8, 8, 0, 0),
        crop(fine4, 4, 0, 0),
        crop(coarse8, 8, dx, dy),
        crop(fine4, 4, dx, dy),
    )
    row, column = divmod(int(heatmap[0].argmax()), 65)
    assert (column * 4, row * 4) == (128 - dx, 128 - dy)


def test_patches_follow_the_shift(network):
    ground = texture(4)
    view, crop = ground[128:384, 128:384], ground[120:376, 132:388]
    _, _, fine = encode(network, view, crop)
    with torch.no_grad():
        scores, _ = PatchMatcher()(fine[:1], fine[1:])
    inner = scores[0, 1:-1, 1:-1].flatten(0, 1).flatten(1).argmax(1)
    rows, columns = inner // 9 - 4, inner % 9 - 4
    assert (rows == 2).float().mean() > 0.9 and (columns == -1).float().mean() > 0.9


def test_starting_weights_of_another_network_are_named(network):
    state = {f"c.{k}": v for k, v in UnifyGeoEdge().encoder.state_dict().items()}
    load_xfeat(network, state)
    state["c.block3_0.weight"] = torch.zeros(3)
    del state["c.heat_2.bias"]
    with pytest.raises(ValueError, match=r"block3_0\.weight.*heat_2\.bias"):
        load_xfeat(network, state)
