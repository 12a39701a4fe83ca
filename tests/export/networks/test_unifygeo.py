"""UnifyGeo at full size: the release's layout, and every part against NumPy alone."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from convnext_in_numpy import block, downsample, float64, layer_norm, randomise
from torch import nn

from export.checkpoints import load_weights
from export.networks.convnext import Shape
from export.networks.deconvolution import Deconvolution
from export.networks.unifygeo import UnifyGeo, heatmap
from export.networks.unifygeo_decoder import PyramidDecoder
from export.networks.unifygeo_head import GlobalHead
from export.networks.unifygeo_overhead import UnifyGeoOverhead
from onboard.errors import InputError

MAX_ERROR = 1e-4
SMALL = Shape((1, 1, 2, 1), (48, 96, 192, 384))
PANORAMA = (64, 192)  # 2 x 6 cells of the last stage
TILE = 64


@pytest.fixture(scope="module")
def small():
    return randomise(UnifyGeo(SMALL, PANORAMA), 0)


@pytest.fixture(scope="module")
def answers(small):
    with torch.no_grad():
        descriptor, vectors = small.describe_ground(torch.randn(2, 3, *PANORAMA))
        overhead, maps = small.describe_overhead(torch.randn(2, 3, TILE, TILE))
        return descriptor, vectors, overhead, maps, small.match(vectors, maps)


def test_the_release_has_457_tensors():
    with torch.device("meta"):
        network = UnifyGeo()
    state = network.state_dict()
    assert len(state) == 457
    assert sum(v.numel() for v in state.values()) == 57_700_330
    assert sum(p.numel() for p in network.parameters()) == 57_698_869
    for key, shape in {
        "grd_encoder.model.stem_0.weight": (96, 3, 4, 4),
        "sat_encoder.model.stages_2.blocks.8.mlp.fc2.weight": (384, 1536),
        "sat_local_feats_decoder.model.downsample.0.weight": (384,),
        "grd_local_feats_decoder.model.downsample.1.weight": (768, 384, 2, 2),
        "grd_global_feats_decoder.model.conv.gamma": (768,),
        "grd_global_feats_decoder.aggregator.block.f.0.weight": (384, 768, 1, 1),
        "sat_global_feats_decoder.aggregator.block.g.1.weight": (384,),
        "sat_global_feats_decoder.aggregator.block.h.bias": (384,),
        "sat_global_feats_decoder.aggregator.block.v.weight": (768, 384, 1, 1),
        "sat_global_feats_decoder.aggregator.gem.p": (1,),
        "sat_global_feats_decoder.agg_post_norm.weight": (768,),
        "pyramid_decoder.grd_feature_to_descriptor1.conv1.weight": (32, 768, 1, 1),
        "pyramid_decoder.grd_feature_to_descriptor4.conv1.weight": (4, 768, 1, 1),
        "pyramid_decoder.grd_feature_to_descriptor3.conv2.weight": (1, 12, 1, 1),
        "pyramid_decoder.grd_descriptor_norm4.weight": (96,),
        "pyramid_decoder.sat_matching_block_norm2.bias": (384,),
        "pyramid_decoder.deconv4.weight": (769, 384, 2, 2),
        "pyramid_decoder.deconv2.weight": (193, 96, 2, 2),
        "pyramid_decoder.deconv1.0.weight": (97, 48, 2, 2),
        "pyramid_decoder.deconv1.3.weight": (48, 24, 2, 2),
        "pyramid_decoder.conv4.0.weight": (384, 768, 3, 3),
        "pyramid_decoder.conv4.1.running_mean": (384,),
        "pyramid_decoder.conv2.3.bias": (96,),
        "pyramid_decoder.conv1.0.weight": (8, 24, 3, 3),
        "pyramid_decoder.conv1.3.bias": (1,),
        "logit_scale": (),
        "logit_scale_rerank": (),
    }.items():
        assert tuple(state[key].shape) == shape, key


def test_shapes(answers):
    descriptor, vectors, overhead, maps, (logits, scores) = answers
    assert descriptor.shape == overhead.shape == (2, 384)
    assert [v.shape[1] for v in vectors] == [m.shape[1] for m in maps] == [384, 192, 96, 48]
    assert [m.shape[2] for m in maps] == [s.shape[2] for s in scores] == [2, 4, 8, 16]
    assert logits.shape == (2, TILE, TILE)
    assert float(logits.std((1, 2)).min()) > 0.1  # alive, or the comparisons below say nothing
    assert torch.allclose(heatmap(logits).sum((1, 2)), torch.ones(2), atol=1e-5)


@torch.no_grad()
def test_retrieval_head_equals_a_second_computation():
    head = randomise(GlobalHead(16, 24), 1)
    x, s = torch.randn(1, 16, 8, 6), float64(head)
    y = block(downsample(x[0].double().numpy(), s, "model.downsample."), s, "model.conv.")
    cells = y.reshape(24, -1).T

    def projected(name):
        z = cells @ s[f"aggregator.block.{name}.0.weight"][:, :, 0, 0].T
        z = z + s[f"aggregator.block.{name}.0.bias"]
        norm = (s[f"aggregator.block.{name}.1.{k}"] for k in ("weight", "bias"))
        return np.maximum(layer_norm(z, *norm), 0)

    logits = projected("f") @ projected("g").T / np.sqrt(12)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    value = cells @ s["aggregator.block.h.weight"][:, :, 0, 0].T + s["aggregator.block.h.bias"]
    out = weights @ value @ s["aggregator.block.v.weight"][:, :, 0, 0].T
    out = cells + out + s["aggregator.block.v.bias"]
    p = s["aggregator.gem.p"][0]
    pooled = (np.maximum(out, 1e-6) ** p).mean(0) ** (1 / p)
    normed = layer_norm(pooled, s["agg_post_norm.weight"], s["agg_post_norm.bias"])
    want = normed / np.linalg.norm(normed)
    assert np.abs(head(x)[0].numpy() - want).max() < MAX_ERROR


@torch.no_grad()
def test_cells_without_ground_are_left_out():
    torch.manual_seed(2)
    head = randomise(GlobalHead(16, 24), 2)
    x = torch.randn(1, 24, 4, 4)
    ground = torch.ones(1, 1, 4, 4)
    ground[..., 3] = 0
    aggregate = lambda x, g: head.agg_post_norm(head.aggregator(x, g))  # noqa: E731
    assert torch.allclose(aggregate(x, ground), aggregate(x[..., :3], None), atol=1e-3)
    assert not torch.allclose(aggregate(x, None), aggregate(x[..., :3], None), atol=1e-2)


@torch.no_grad()
def test_ground_vectors_equal_a_second_computation(small):
    local, s = torch.randn(1, 384, 2, 6), float64(small.pyramid_decoder)
    for level, got in enumerate(small.pyramid_decoder.ground_vectors(local), 1):
        layer = f"grd_feature_to_descriptor{level}."
        x = np.einsum("chw,oc->ohw", local[0].double(), s[layer + "conv1.weight"][:, :, 0, 0])
        x = x + s[layer + "conv1.bias"][:, None, None]
        rows = s[layer + "conv2.weight"][0, :, 0, 0]
        x = np.einsum("ohw,h->wo", x, rows) + s[layer + "conv2.bias"]
        norm = (s[f"grd_descriptor_norm{level}.{k}"] for k in ("weight", "bias"))
        want = layer_norm(x.reshape(-1), *norm)  # W-major: column by column
        assert np.abs(got[0].numpy() - want).max() < MAX_ERROR


@torch.no_grad()
def test_matching_score_equals_a_second_computation(small, answers):
    _, vectors, _, maps, location = answers
    s = float64(small.pyramid_decoder)
    norm = [s[f"sat_matching_block_norm1.{k}"] for k in ("weight", "bias")]
    for i in range(2):
        cells = maps[0][i].double().numpy().reshape(384, -1).T
        cells = layer_norm(cells, *norm)
        cells /= np.linalg.norm(cells, axis=1, keepdims=True)
        vector = vectors[0][i].double().numpy()
        want = (cells @ vector / np.linalg.norm(vector)).reshape(2, 2)
        assert np.abs(location.scores[0][i].numpy() - want).max() < MAX_ERROR


@torch.no_grad()
def test_the_decoder_equals_plain_layers(small, answers):
    """The way through the levels, with torch's own transposed convolutions and cosines."""
    _, vectors, _, maps, location = answers
    d, x = small.pyramid_decoder, maps[0]
    for level, i in enumerate((4, 3, 2, 1)):
        normed = getattr(d, f"sat_matching_block_norm{level + 1}")(x)
        score = nn.functional.cosine_similarity(vectors[level][..., None, None], normed, dim=1)
        assert torch.allclose(score, location.scores[level], atol=1e-5)
        x = torch.cat((score[:, None], nn.functional.normalize(x, dim=1)), 1)
        if i > 1:
            deconv = getattr(d, f"deconv{i}")
            x = nn.functional.conv_transpose2d(x, deconv.weight, deconv.bias, stride=2)
            x = getattr(d, f"conv{i}")(torch.cat((x, maps[level + 1]), 1))
    assert torch.allclose(d.conv1(d.deconv1(x))[:, 0], location.logits, atol=MAX_ERROR)


@torch.no_grad()
def test_re_ranking_scores_are_the_largest_cosines(small, answers):
    _, vectors, _, maps, location = answers
    got = small.rerank_scores(vectors[0], small.rerank_maps(maps[0]))
    assert torch.allclose(got.diagonal(), location.scores[0].amax((1, 2)), atol=1e-6)
    other = small.match(tuple(v[:1] for v in vectors), tuple(m[1:] for m in maps))
    assert torch.allclose(got[0, 1], other.scores[0].max(), atol=1e-6)


@torch.no_grad()
def test_one_view_over_several_tiles(small, answers):
    _, vectors, _, maps, location = answers
    alone = small.locate(tuple(v[:1] for v in vectors), maps)
    assert alone.shape == (2, TILE, TILE)
    assert torch.allclose(alone[0], location.logits[0], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("cin", "cout"), [(769, 384), (5, 3), (97, 48)])
def test_deconvolution_by_depth_to_space_is_the_same(cin, cout):
    torch.manual_seed(3)
    layer = Deconvolution(cin, cout).double()
    x = torch.randn(2, cin, 3, 4, dtype=torch.float64)
    assert torch.allclose(layer(x), layer.by_depth_to_space(x), atol=1e-12)


def test_a_panorama_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiples of 32, not 140"):
        UnifyGeo(SMALL, (140, 768))
    with pytest.raises(ValueError, match="multiples of the ground map's 5 columns"):
        PyramidDecoder((96, 192, 384, 768), (2, 5))


class Overhead(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, tiles):
        descriptor, maps = self.network.describe_overhead(tiles)
        return descriptor, *maps


class Locate(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *x):
        return heatmap(self.network.locate(x[:4], x[4:]))


def exported(module, inputs, path):
    names = [f"x{i}" for i in range(len(inputs))]
    torch.onnx.export(
        module.eval(), inputs, str(path), input_names=names,
        dynamic_axes={n: {0: "batch"} for n in names}, opset_version=17, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    graph = onnx.load(path).graph
    constants = {i.name for i in graph.initializer}
    assert all(c.input[1] in constants for c in graph.node if c.op_type == "Conv")  # folded
    return session, [n.op_type for n in graph.node]


@torch.no_grad()
def test_onnx_answers_the_same(small, tmp_path):
    tower, kinds = exported(Overhead(small), (torch.randn(2, 3, TILE, TILE),), tmp_path / "t.onnx")
    assert "LayerNormalization" in kinds
    tiles = torch.randn(3, 3, TILE, TILE)
    descriptor, maps = small.describe_overhead(tiles)
    for got, want in zip(tower.run(None, {"x0": tiles.numpy()}), (descriptor, *maps), strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=2e-5)
    _, vectors = small.describe_ground(torch.randn(3, 3, *PANORAMA))
    inputs = tuple(x[:2] for x in (*vectors, *maps))
    decoder, kinds = exported(Locate(small), inputs, tmp_path / "d.onnx")
    assert "ConvTranspose" not in kinds and kinds.count("DepthToSpace") == 5
    assert "Tile" not in kinds and "ScatterND" not in kinds
    feed = {f"x{i}": x.numpy() for i, x in enumerate((*vectors, *maps))}
    got, want = decoder.run(None, feed)[0], heatmap(small.locate(vectors, maps)).numpy()
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_a_released_file_loads_and_another_networks_is_refused(small, tmp_path):
    path = tmp_path / "unifygeo_vigor_same_area.pth"
    torch.save(small.state_dict(), path)
    other = UnifyGeo(SMALL, PANORAMA)
    load_weights(other, path)
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in small.state_dict().items())
    with pytest.raises(InputError, match=r"lacks 'encoder.stem_0.weight'.*UnifyGeo \(VIGOR\)"):
        load_weights(UnifyGeoOverhead(SMALL), path)
