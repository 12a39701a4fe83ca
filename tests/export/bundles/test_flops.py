import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.bundles.flops import count_work


def model(nodes, inputs, outputs, weights, opset=17):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def test_a_convolution_by_hand():
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    work = count_work(
        model(
            [node],
            {"x": ["n", 3, 8, 10]},
            {"y": ["n", 16, 4, 5]},
            {"w": np.zeros((16, 3, 3, 3)), "b": np.zeros(16)},
        ),
        batch=2,
    )
    assert work.flops == 2 * 2 * 16 * 4 * 5 * (3 * 3 * 3)
    assert work.parameters == 16 * 27 + 16
    assert work.weight_bytes == 4 * work.parameters
    assert work.activation_bytes == 4 * (2 * 3 * 8 * 10 + 2 * 16 * 4 * 5)


def test_a_grouped_and_a_transposed_convolution_by_hand():
    depthwise = helper.make_node("Conv", ["x", "w"], ["y"], group=8, pads=[3, 3, 3, 3])
    up = helper.make_node("ConvTranspose", ["y", "u"], ["z"], strides=[2, 2])
    work = count_work(
        model(
            [depthwise, up],
            {"x": [1, 8, 6, 6]},
            {"z": [1, 4, 12, 12]},
            {"w": np.zeros((8, 1, 7, 7)), "u": np.zeros((8, 4, 2, 2))},
        )
    )
    assert work.flops == 2 * 8 * 36 * 49 + 2 * (8 * 36) * 4 * 4


@pytest.mark.parametrize(("trans_a", "shape"), [(0, [5, 7]), (1, [7, 5])])
def test_matrix_products_by_hand(trans_a, shape):
    gemm = helper.make_node("Gemm", ["x", "w"], ["y"], transA=trans_a)
    product = helper.make_node("MatMul", ["q", "k"], ["a"])
    work = count_work(
        model(
            [gemm, product],
            {"x": shape, "q": ["n", 6, 9, 4], "k": ["n", 6, 4, 9]},
            {"y": [5, 11], "a": ["n", 6, 9, 9]},
            {"w": np.zeros((7, 11))},
        ),
        batch=3,
    )
    assert work.flops == 2 * 5 * 7 * 11 + 2 * 3 * 6 * 9 * 9 * 4


def test_an_unknown_shape_is_named():
    hidden = helper.make_node("Custom", ["x"], ["h"], domain="somewhere.else", name="odd")
    product = helper.make_node("MatMul", ["h", "w"], ["y"], name="after it")
    broken = model([hidden, product], {"x": [2, 3]}, {"y": [2, 4]}, {"w": np.zeros((3, 4))})
    broken.opset_import.append(helper.make_opsetid("somewhere.else", 1))
    with pytest.raises(ValueError, match=r"after it.*'h'"):
        count_work(broken)


def test_the_shipped_encoder_is_counted_like_its_layers():
    """Against the sum over torch's own layers, counted by hooks."""
    import torch
    from torch import nn

    from export.networks.unifygeo_edge import UnifyGeoEdge
    from onboard.model_bundle import DEFAULT_BUNDLE

    counted = []

    def count(layer, inputs, output):
        if isinstance(layer, nn.Conv2d):
            inner = layer.weight[0].numel()
            counted.append(2 * output.numel() * inner)
        else:
            counted.append(2 * output.numel() * layer.in_features)

    network = UnifyGeoEdge().eval()
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 256, 256, 3, dtype=torch.uint8))
    attention = 2 * (256 * 256 * 64 + 256 * 256 * 128)  # 16x16 cells: q^T k and v w^T
    work = count_work(onnx.load(DEFAULT_BUNDLE / "model.onnx"))
    assert work.flops == sum(counted) + attention
