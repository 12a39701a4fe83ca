import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.networks.pooling import GEM_EPS, AveragePooling, Gem, generalised_mean


def gem_by_hand(features: np.ndarray, power: float) -> np.ndarray:
    x = np.maximum(features.astype(np.float64), GEM_EPS)
    return (x**power).mean(axis=(2, 3)) ** (1 / power)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(1.0, 8.0), st.sampled_from([1e-3, 1.0, 100.0]))
def test_gem_is_its_formula(seed, power, size):
    features = np.random.default_rng(seed).normal(0, size, (2, 5, 4, 3)).astype(np.float32)
    got = generalised_mean(torch.from_numpy(features), power).numpy()
    np.testing.assert_allclose(got, gem_by_hand(features, power), rtol=2e-4)


def test_gem_lies_between_mean_and_largest():
    x = torch.rand(3, 7, 5, 5)
    flat = x.flatten(2)
    assert torch.allclose(generalised_mean(x, 1.0), flat.mean(2), atol=1e-6)
    assert torch.allclose(generalised_mean(x, 200.0), flat.amax(2), rtol=0.02)
    three = generalised_mean(x, 3.0)
    assert (three > flat.mean(2)).all() and (three < flat.amax(2)).all()


def test_gem_of_half_precision_features_neither_overflows_nor_vanishes():
    big = torch.full((1, 4, 3, 3), 6e4, dtype=torch.float16)
    small = torch.full((1, 4, 3, 3), 1e-3, dtype=torch.float16)
    assert torch.allclose(generalised_mean(big, 3.0), big[:, :, 0, 0].float(), rtol=1e-5)
    assert torch.allclose(generalised_mean(small, 3.0), small[:, :, 0, 0].float(), rtol=1e-5)


@pytest.mark.parametrize("layer", [AveragePooling, Gem])
@pytest.mark.parametrize("out", [None, 6])
def test_descriptors_have_unit_length(layer, out):
    torch.manual_seed(0)
    got = layer(10, out)(torch.randn(4, 10, 5, 7))
    assert got.shape == (4, out or 10)
    assert torch.allclose(got.norm(dim=1), torch.ones(4), atol=1e-6)


def test_average_is_the_mean_direction():
    x = torch.randn(2, 6, 3, 3)
    mean = x.mean((2, 3))
    assert torch.allclose(AveragePooling(6)(x), mean / mean.norm(dim=1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize("layer", [AveragePooling, Gem])
def test_black_features_give_numbers(layer):
    assert torch.isfinite(layer(5, None)(torch.zeros(2, 5, 4, 4))).all()


def test_the_power_learns():
    gem = Gem(5)
    (gem(torch.rand(2, 5, 4, 4)) * torch.arange(5.0)).sum().backward()
    assert gem.power.grad is not None and float(gem.power.grad.abs()) > 0


@pytest.mark.parametrize("layer", [AveragePooling, Gem])
def test_onnx_answers_the_same_and_the_power_is_a_constant(layer, tmp_path):
    torch.manual_seed(1)
    pool = layer(12, 8).eval()
    with torch.no_grad():
        for p in pool.parameters():
            p.add_(0.1)
    path = tmp_path / "pool.onnx"
    torch.onnx.export(
        pool, (torch.randn(2, 12, 6, 6),), str(path), input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    x = torch.randn(5, 12, 6, 6)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], pool(x), atol=2e-6)
    graph = onnx.load(path).graph
    constant = {i.name for i in graph.initializer}
    constant |= {n.output[0] for n in graph.node if n.op_type == "Constant"}
    powers = [n for n in graph.node if n.op_type == "Pow"]
    assert len(powers) == (2 if layer is Gem else 0)
    assert all(n.input[1] in constant for n in powers)
