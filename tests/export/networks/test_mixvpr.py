import numpy as np
import onnxruntime
import pytest
import torch
from by_hand import arrays
from by_hand import mixvpr as mixvpr_by_hand

from export.networks.mixvpr import MixVpr

MAX_ERROR = 1e-4


def make(ratio=1, depth=2):
    torch.manual_seed(0)
    mixer = MixVpr(12, 20, out_channels=8, out_rows=3, depth=depth, ratio=ratio).eval()
    with torch.no_grad():
        for p in mixer.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return mixer


def probe(batch=2, channels=12, h=4, w=5):
    return torch.randn(batch, channels, h, w, generator=torch.Generator().manual_seed(batch))


@torch.no_grad()
@pytest.mark.parametrize("ratio", [1, 3])
def test_equals_an_independent_computation(ratio):
    mixer = make(ratio)
    got = mixer(probe()).numpy()
    assert got.shape == (2, 24) == (2, mixer.output_dim)
    expected = mixvpr_by_hand(arrays(mixer), probe().double().numpy())
    assert np.abs(got - expected).max() < MAX_ERROR


def test_parameter_names_and_shapes_are_the_released_ones():
    with torch.device("meta"):
        mixer = MixVpr(1024, 400)
    shapes = {k: tuple(v.shape) for k, v in mixer.state_dict().items()}
    expected = {"channel_proj.weight": (1024, 1024), "channel_proj.bias": (1024,)}
    expected |= {"row_proj.weight": (4, 400), "row_proj.bias": (4,)}
    for i in range(4):
        for part in (0, 1, 3):
            expected[f"mix.{i}.mix.{part}.weight"] = (400,) if part == 0 else (400, 400)
            expected[f"mix.{i}.mix.{part}.bias"] = (400,)
    assert shapes == expected and mixer.output_dim == 4096


def test_another_number_of_cells_is_refused():
    with pytest.raises(ValueError, match="20 cells, not 16"):
        make()(probe(h=4, w=4))


@torch.no_grad()
def test_half_precision_gives_unit_length():
    got = make().half()(100 * probe().half())
    assert got.dtype == torch.float32
    assert torch.allclose(got.norm(dim=1), torch.ones(2), atol=1e-5)


def test_gradients_reach_every_parameter():
    mixer = make()
    (mixer(probe()) * torch.linspace(-1, 1, 24)).sum().backward()
    for name, p in mixer.named_parameters():
        assert p.grad is not None and float(p.grad.abs().max()) > 0, name


@torch.no_grad()
@pytest.mark.filterwarnings("ignore")
def test_onnx_answers_the_same_for_any_batch(tmp_path):
    mixer, path = make(), tmp_path / "mixer.onnx"
    torch.onnx.export(
        mixer, (probe(),), str(path), input_names=["features"], output_names=["descriptor"],
        dynamic_axes={"features": {0: "batch"}, "descriptor": {0: "batch"}},
        opset_version=17, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        got = session.run(None, {"features": probe(count).numpy()})[0]
        assert np.abs(got - mixer(probe(count)).numpy()).max() < 1e-5
