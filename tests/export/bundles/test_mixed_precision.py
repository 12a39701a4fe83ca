import collections

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.bundles.graph_runs import run_graph
from export.bundles.graph_traps import find_traps, half_tensors
from export.bundles.mixed_precision import to_mixed_precision
from export.bundles.onnx_graph import export_graph, save_checked
from export.networks.salad import Salad, optimal_transport

SINKHORN_MIN_COSINE = 0.99996  # of an fp16 emulation, scores of sigma 60 (facts)


class _Block(nn.Module):
    """One of each: convolution, norm, GELU, attention, GeM, a softmax over many cells."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.qkv, self.mlp = nn.Linear(8, 24), nn.Linear(8, 8)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, pictures):
        x = self.stem(pictures)
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(tokens)).chunk(3, -1)
        tokens = tokens + torch.softmax(q @ k.transpose(1, 2) * 8**-0.5, -1) @ v
        tokens = tokens + nn.functional.gelu(self.mlp(tokens))
        maps = tokens.transpose(1, 2).reshape(x.shape)
        gem = (maps.clamp_min(1e-6) ** 3).mean((2, 3)) ** (1 / 3)
        large = nn.functional.interpolate(self.head(maps), scale_factor=8.0, mode="bilinear")
        return nn.functional.normalize(gem, dim=1), torch.softmax(large.flatten(1), 1)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("graphs")
    inputs = {"pictures": torch.randn(2, 3, 64, 64)}
    names = ["descriptor", "heatmap"]
    export_graph(folder / "fp32.onnx", _Block().eval(), inputs, names, ["pictures", *names])
    mixed = to_mixed_precision(onnx.load(folder / "fp32.onnx"))
    save_checked(mixed, folder / "mixed.onnx")
    return folder, inputs, mixed


def test_products_run_in_fp16_and_sensitive_nodes_in_fp32(graphs):
    _, _, mixed = graphs
    half = half_tensors(mixed)
    kinds = collections.defaultdict(set)
    for node in mixed.graph.node:
        kinds[node.op_type].add(bool(half & set(node.input)))
    for op in ("Conv", "MatMul", "Erf"):
        assert kinds[op] == {True}, op
    for op in ("LayerNormalization", "Pow", "ReduceMean", "ReduceL2"):
        assert kinds[op] == {False}, op
    assert find_traps(mixed) == []


def test_an_attentions_softmax_is_fp16_and_a_heatmaps_fp32(graphs):
    _, _, mixed = graphs
    half = half_tensors(mixed)
    softmaxes = [n for n in mixed.graph.node if n.op_type == "Softmax"]
    assert [bool(half & set(n.input)) for n in softmaxes] == [True, False]


def test_answers_stay_and_so_do_types(graphs):
    folder, inputs, mixed = graphs
    assert all(
        v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        for v in (*mixed.graph.input, *mixed.graph.output)
    )
    right, answer = (run_graph(folder / n, inputs) for n in ("fp32.onnx", "mixed.onnx"))
    np.testing.assert_allclose(answer["descriptor"], right["descriptor"], atol=3e-3)
    np.testing.assert_allclose(answer["heatmap"].sum(1), 1.0, atol=1e-5)
    assert not np.array_equal(answer["descriptor"], right["descriptor"])  # fp16 was at work


def test_any_batch_still_runs(graphs):
    folder, _, _ = graphs
    answer = run_graph(folder / "mixed.onnx", {"pictures": torch.randn(5, 3, 64, 64)})
    assert answer["descriptor"].shape == (5, 8)


class _LargeWeight(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        nn.init.constant_(self.layer.weight, value)

    def forward(self, x):
        return self.layer(x)


def test_a_weight_beyond_fp16_is_named(tmp_path):
    export_graph(tmp_path / "m.onnx", _LargeWeight(1e6), {"x": torch.ones(2, 4)}, ["y"])
    with pytest.raises(ValueError, match=r"layer\.weight.*1e\+06.*fp32"):
        to_mixed_precision(onnx.load(tmp_path / "m.onnx"))


class _Square(nn.Module):
    def forward(self, x):
        x = nn.functional.relu(x @ torch.eye(4))
        return (x * x).sum(1)


def test_squares_of_large_values_do_not_overflow(tmp_path):
    x = {"x": torch.full((2, 4), 1000.0)}
    expected = export_graph(tmp_path / "m.onnx", _Square(), x, ["y"])
    save_checked(to_mixed_precision(onnx.load(tmp_path / "m.onnx")), tmp_path / "h.onnx")
    np.testing.assert_allclose(run_graph(tmp_path / "h.onnx", x)["y"], expected["y"])


def test_sinkhorn_in_emulated_fp16_and_the_exported_one_in_fp32(tmp_path):
    torch.manual_seed(1)
    scores = (torch.randn(2, 65, 256) * 60).half()
    log_rows = torch.log(torch.tensor([1.0] * 64 + [192.0]))
    right = optimal_transport(scores.double(), log_rows.double())[:, :64].flatten(1)
    half = optimal_transport(scores, log_rows.half())[:, :64].flatten(1).double()
    assert float(nn.functional.cosine_similarity(right, half).min()) >= SINKHORN_MIN_COSINE

    salad = Salad(32, 16, 8, 16, 24).eval()
    inputs = {"features": torch.randn(2, 32, 8, 8) * 4, "token": torch.randn(2, 32)}
    names = [*inputs, "descriptor"]
    expected = export_graph(tmp_path / "s.onnx", salad, inputs, ["descriptor"], names)
    mixed = to_mixed_precision(onnx.load(tmp_path / "s.onnx"))
    save_checked(mixed, tmp_path / "h.onnx")
    half_names = half_tensors(mixed)
    for node in mixed.graph.node:
        if node.op_type in ("Exp", "Log", "ReduceMax", "ReduceSum", "Sub"):
            assert not half_names & set(node.input), node.name
    answer = run_graph(tmp_path / "h.onnx", inputs)["descriptor"]
    cosine = (answer * expected["descriptor"]).sum(1)
    assert cosine.min() >= 0.9999
