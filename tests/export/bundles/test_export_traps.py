"""The networks themselves, shallow, against every known trap of the way into an engine."""

from __future__ import annotations

import collections

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.bundles.graph_runs import OnnxRun, TorchRun, run_graph
from export.bundles.graph_traps import find_traps, half_tensors
from export.bundles.mixed_precision import to_mixed_precision
from export.bundles.onnx_graph import export_graph, save_checked
from export.bundles.parity_views import hard_pictures
from export.bundles.preprocessing import descriptor_network
from export.networks.convnext import ConvNextFeatures, Shape
from export.networks.deconvolution import Deconvolution
from export.networks.dinov2 import DinoV2
from export.networks.pooling import Gem
from export.networks.salad import Salad

PX = 112


class ShallowGenGeo(nn.Module):
    def __init__(self, registers=0):
        super().__init__()
        self.backbone = DinoV2("small", PX, registers, trainable_blocks=2, depth=2)
        self.aggregator = Salad(384, 16, 8, 16, 32)

    def forward(self, pictures):
        token, features = self.backbone(pictures)
        return self.aggregator(features, token)


class GemOfConvnext(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = ConvNextFeatures(Shape((1, 1, 1), (8, 16, 32)))
        self.gem = Gem(32, 24)

    def forward(self, pictures):
        return self.gem(self.tower(pictures)[-1])


MAKERS = {"gengeo": ShallowGenGeo, "registers": lambda: ShallowGenGeo(4), "gem": GemOfConvnext}


@pytest.fixture(scope="module", params=MAKERS)
def exported(request, tmp_path_factory):
    """Name, PyTorch's side, path of the fp32 graph."""
    torch.manual_seed(3)
    network = descriptor_network(MAKERS[request.param](), PX)
    path = tmp_path_factory.mktemp(request.param) / "m.onnx"
    pictures = {"pictures": torch.randint(0, 255, (2, 256, 256, 3), dtype=torch.uint8)}
    export_graph(path, network, pictures, ["descriptor"], ["pictures", "descriptor"])
    return request.param, network, path


def counts(path):
    return collections.Counter(n.op_type for n in onnx.load(path).graph.node)


def test_no_forbidden_node_and_no_cubic_resizing(exported):
    _, _, path = exported
    model = onnx.load(path)
    assert find_traps(model) == []
    kinds = counts(path)
    assert not kinds["ReduceLogSumExp"] and not kinds["ScatterND"] and not kinds["ConvTranspose"]
    assert kinds["Resize"] == 1  # of the picture, linear


def test_layer_norms_are_single_nodes(exported):
    name, network, path = exported
    norms = sum(isinstance(m, nn.LayerNorm) for m in network.modules())
    assert counts(path)["LayerNormalization"] == norms > 0, name


def test_any_batch_gives_the_same_answers(exported):
    _, network, path = exported
    pictures = np.random.default_rng(1).integers(0, 255, (5, 256, 256, 3), dtype=np.uint8)
    right, run = TorchRun(network, ["descriptor"])(pictures)["descriptor"], OnnxRun(path, 1)
    np.testing.assert_allclose(run(pictures)["descriptor"], right, atol=1e-5)
    np.testing.assert_allclose(run(pictures[2:3])["descriptor"], right[2:3], atol=1e-5)


def test_hard_pictures_stay_finite_in_both_precisions(exported, tmp_path):
    _, _, path = exported
    save_checked(to_mixed_precision(onnx.load(path)), tmp_path / "mixed.onnx")
    right, answer = (
        OnnxRun(p, 1)(hard_pictures())["descriptor"] for p in (path, tmp_path / "mixed.onnx")
    )
    assert np.isfinite(right).all() and np.isfinite(answer).all()
    assert ((right * answer).sum(1) >= 0.999).all()


def test_no_subnormal_constant_reaches_fp16(exported):
    _, _, path = exported
    mixed = to_mixed_precision(onnx.load(path))
    half = half_tensors(mixed)
    for constant in mixed.graph.initializer:
        value = np.abs(onnx.numpy_helper.to_array(constant).astype(np.float64))
        if constant.name in half and value.size == 1 and value.max() > 0:
            assert value.max() >= float(np.finfo(np.float16).smallest_normal), constant.name


def test_gems_power_is_a_constant(tmp_path):
    gem = Gem(6, None).eval()
    x = {"x": torch.rand(2, 6, 5, 5)}
    expected = export_graph(tmp_path / "g.onnx", gem, x, ["y"], ["x", "y"])
    model = onnx.load(tmp_path / "g.onnx")
    weights = {i.name for i in model.graph.initializer}
    powers = [n for n in model.graph.node if n.op_type == "Pow"]
    assert powers and all(n.input[1] in weights for n in powers)
    np.testing.assert_allclose(run_graph(tmp_path / "g.onnx", x)["y"], expected["y"], atol=1e-6)


def test_a_deconvolution_becomes_a_convolution_and_depth_to_space(tmp_path):
    torch.manual_seed(0)
    layer = Deconvolution(5, 3).eval()
    x = torch.randn(2, 5, 4, 6)
    with torch.no_grad():
        right = nn.functional.conv_transpose2d(x, layer.weight, layer.bias, stride=2)
        assert torch.equal(layer(x), right)
        torch.testing.assert_close(layer.by_depth_to_space(x), right, atol=1e-6, rtol=0)
    export_graph(tmp_path / "d.onnx", layer, {"x": x}, ["y"], ["x", "y"])
    assert counts(tmp_path / "d.onnx") == {"Conv": 1, "DepthToSpace": 1}
    answer = run_graph(tmp_path / "d.onnx", {"x": x})["y"]
    np.testing.assert_allclose(answer, right.numpy(), atol=1e-6)
