"""Each trap is found where it is, and nowhere else."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export.bundles.constant_folding import fold_constants
from export.bundles.graph_runs import run_graph
from export.bundles.graph_traps import find_traps
from export.bundles.onnx_graph import IR_VERSION, OPSET, export_graph, save_checked


def graph(node_type, inputs=("x",), constants=None, shape=(1, 4, 8, 8), half=False, **attributes):
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    node = helper.make_node(node_type, list(inputs), ["y"], name="suspect", **attributes)
    named = {
        n: v.astype(np.float16 if half and v.dtype == np.float32 else v.dtype)
        for n, v in (constants or {}).items()
    }
    model = helper.make_model(
        helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info("y", kind, None)],
            [numpy_helper.from_array(v, n) for n, v in named.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def test_cubic_resizing():
    sizes = {"s": np.array([1, 4, 16, 16])}
    found = find_traps(graph("Resize", ["x", "", "", "s"], sizes, mode="cubic"))
    assert len(found) == 1 and "cubic" in found[0] and "suspect" in found[0]
    assert not find_traps(graph("Resize", ["x", "", "", "s"], sizes, mode="linear"))


def test_log_sum_exp_in_one_node():
    assert "max shift" in find_traps(graph("ReduceLogSumExp", axes=[1]))[0]


def test_assigning_to_a_slice():
    constants = {"i": np.zeros((1, 1), np.int64), "u": np.zeros((1, 4, 8, 8), np.float32)}
    assert "concatenation" in find_traps(graph("ScatterND", ["x", "i", "u"], constants))[0]


def test_a_power_that_is_no_constant():
    assert "constant" in find_traps(graph("Pow", ["x", "x"]))[0]
    assert not find_traps(graph("Pow", ["x", "p"], {"p": np.float32(3).reshape(())}))


@pytest.mark.parametrize("node_type", ["Exp", "Sqrt", "ReduceMean", "Reciprocal"])
def test_what_overflows_in_fp16(node_type):
    assert "fp32" in find_traps(graph(node_type, half=True))[0]
    assert not find_traps(graph(node_type))


def test_an_eps_that_fp16_flushes():
    eps = {"e": np.float32(1e-6).reshape(())}
    assert "subnormal" in find_traps(graph("Add", ["x", "e"], eps, half=True))[0]
    assert not find_traps(graph("Add", ["x", "e"], eps))
    assert not find_traps(graph("Add", ["x", "e"], {"e": np.float32(1e-3).reshape(())}, half=True))


def test_a_free_axis_beside_the_batch():
    assert not find_traps(graph("Relu", shape=("batch", 4, 8, 8)))
    assert "axis 2" in find_traps(graph("Relu", shape=("batch", 4, "h", 8)))[0]


class _SpelledOutNorm(nn.Module):
    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()


class _LogSumExp(nn.Module):
    def forward(self, x):
        return torch.logsumexp(x, -1)


def test_the_exporter_refuses_what_torch_code_brings(tmp_path):
    x = {"x": torch.randn(2, 5)}
    with pytest.raises(ValueError, match="LayerNorm written out"):
        export_graph(tmp_path / "norm.onnx", _SpelledOutNorm(), x, ["y"])
    with pytest.raises(ValueError, match="max shift"):
        export_graph(tmp_path / "lse.onnx", _LogSumExp(), x, ["y"])


class _Cubic(nn.Module):
    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=2.0, mode="bicubic")


def test_a_table_resampled_in_the_graph_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cubic"):
        export_graph(tmp_path / "c.onnx", _Cubic(), {"x": torch.randn(1, 2, 5, 5)}, ["y"])


class _Gem(nn.Module):
    def __init__(self):
        super().__init__()
        self.power = nn.Parameter(torch.tensor(3.0))

    def forward(self, x):
        return (x.clamp_min(1e-3) ** self.power).mean((2, 3)) ** (1.0 / self.power)


def test_a_learned_power_becomes_a_constant_and_so_does_its_inverse(tmp_path):
    x = {"x": torch.rand(2, 3, 4, 4)}
    expected = export_graph(tmp_path / "gem.onnx", _Gem(), x, ["y"], ["x", "y"])
    import onnx

    model = onnx.load(tmp_path / "gem.onnx")
    weights = {i.name for i in model.graph.initializer}
    powers = [n for n in model.graph.node if n.op_type == "Pow"]
    assert len(powers) == 2 and all(n.input[1] in weights for n in powers)
    assert "Reciprocal" not in {n.op_type for n in model.graph.node}
    np.testing.assert_allclose(run_graph(tmp_path / "gem.onnx", x)["y"], expected["y"], atol=1e-6)


def test_versions_that_the_oldest_runtime_reads(tmp_path):
    import onnx

    export_graph(tmp_path / "n.onnx", nn.LayerNorm(5), {"x": torch.randn(2, 5)}, ["y"])
    model = onnx.load(tmp_path / "n.onnx")
    assert [n.op_type for n in model.graph.node] == ["LayerNormalization"]
    assert model.ir_version == IR_VERSION <= 11
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    model.opset_import[0].version = 20
    with pytest.raises(ValueError, match="opset 17"):
        save_checked(model, tmp_path / "newer.onnx")
    assert not (tmp_path / "newer.onnx").exists()


def test_folding_changes_no_answer_and_keeps_what_depends_on_the_input(tmp_path):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    nodes = [
        helper.make_node("Reciprocal", ["p"], ["q"]),
        helper.make_node("Mul", ["q", "p"], ["one"]),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    weights = [numpy_helper.from_array(np.float32([2, 4, 8]), "p")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    fold_constants(model)
    assert [n.op_type for n in model.graph.node] == ["Add"]
    assert [i.name for i in model.graph.initializer] == ["one"]
    save_checked(model, tmp_path / "m.onnx")
    answer = run_graph(tmp_path / "m.onnx", {"x": torch.ones(2, 3)})["y"]
    np.testing.assert_array_equal(answer, np.full((2, 3), 2, np.float32))
