import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from convnext_in_numpy import float64, layer_norm, randomise, tower

from export.networks.convnext import BASE, TINY, ConvNext, ConvNextFeatures, Shape
from export.networks.pooled_convnext import PooledConvNext
from export.networks.pooling import AveragePooling, Gem
from export.networks.sample4geo import Sample4Geo

SMALL = Shape((1, 2, 3, 1), (8, 16, 24, 32))
MAX_ERROR = 1e-4


def pictures(n, size, seed=0):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("shape", [SMALL, Shape(TINY.depths[:2], TINY.dims[:2])])
def test_features_equal_a_second_computation(shape):
    network = randomise(ConvNextFeatures(shape), 1)
    x = pictures(1, 64)
    expected = tower(x[0].double().numpy(), float64(network), shape.depths, "_")
    for got, want in zip(network(x), expected, strict=True):
        assert np.abs(got[0].numpy() - want).max() < MAX_ERROR


@torch.no_grad()
def test_sample4geo_equals_a_second_computation():
    network = randomise(Sample4Geo(SMALL), 2)
    x, state = pictures(1, 64), float64(network)
    last = tower(x[0].double().numpy(), state, SMALL.depths, ".", "model.")[-1]
    head = [state[f"model.head.norm.{k}"] for k in ("weight", "bias")]
    want = layer_norm(last.mean((1, 2)), *head)
    assert np.abs(network(x)[0].numpy() - want / np.linalg.norm(want)).max() < MAX_ERROR


def test_sample4geo_has_the_published_layout():
    with torch.device("meta"):
        state = Sample4Geo().state_dict()
    assert len(state) == 343 and state["logit_scale"].shape == ()
    model = {k: v for k, v in state.items() if k.startswith("model.")}
    assert len(model) == 342 and sum(v.numel() for v in model.values()) == 87_566_464
    for key, shape in {
        "model.stem.0.weight": (128, 3, 4, 4),
        "model.stem.1.bias": (128,),
        "model.stages.0.blocks.2.gamma": (128,),
        "model.stages.1.downsample.0.weight": (128,),
        "model.stages.1.downsample.1.weight": (256, 128, 2, 2),
        "model.stages.2.blocks.26.conv_dw.weight": (512, 1, 7, 7),
        "model.stages.3.blocks.0.mlp.fc1.weight": (4096, 1024),
        "model.stages.3.blocks.0.mlp.fc2.bias": (1024,),
        "model.head.norm.weight": (1024,),
    }.items():
        assert tuple(state[key].shape) == shape


def test_features_have_timms_names():
    with torch.device("meta"):
        tiny, base = ConvNextFeatures(TINY).state_dict(), ConvNext(BASE).state_dict()
    # 27,818,592 values of timm's convnext_tiny without its head (28,589,128 with 1,000 classes)
    assert sum(v.numel() for v in tiny.values()) == 28_589_128 - (768 * 1000 + 1000) - 2 * 768
    assert {"stem_0.weight", "stem_1.bias", "stages_2.blocks.8.norm.weight"} <= tiny.keys()
    dotted = {k.replace("stem_", "stem.").replace("stages_", "stages.") for k in tiny}
    assert dotted <= base.keys() | {"head.norm.weight"}


def test_keeping_less_for_the_backward_pass_changes_nothing():
    gradients = []
    for checkpointing in (False, True):
        network = randomise(ConvNextFeatures(SMALL, checkpointing), 3).train()
        network(pictures(2, 32))[-1].square().sum().backward()
        gradients.append(network.stem_0.weight.grad)
    assert torch.allclose(*gradients, rtol=1e-5)


@pytest.mark.parametrize("pooling", [AveragePooling, Gem])
def test_onnx_answers_the_same_with_one_node_per_norm(pooling, tmp_path):
    network = randomise(PooledConvNext(pooling(SMALL.dims[-1]), SMALL), 4)
    path = tmp_path / "network.onnx"
    torch.onnx.export(
        network, (pictures(2, 64),), str(path), input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = pictures(3, 64, seed=5)
    with torch.no_grad():
        want = network(x).numpy()
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], want, atol=1e-5)
    kinds = [n.op_type for n in onnx.load(path).graph.node]
    norms = sum(SMALL.depths) + len(SMALL.dims)  # blocks, stem and downsamplings
    assert kinds.count("LayerNormalization") == norms
    assert kinds.count("ReduceMean") <= 1  # the pooling's own
