import numpy as np
import onnxruntime
import pytest
import torch
from by_hand import arrays
from by_hand import salad as salad_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st

from export.networks.salad import Salad, log_sum_exp

MAX_ERROR = 1e-4
SMALL = {"channels": 24, "clusters": 6, "cluster_channels": 5, "token_channels": 7, "hidden": 16}


def make(**options):
    torch.manual_seed(0)
    salad = Salad(**{**SMALL, **options}).eval()
    if salad.dust_bin is not None:
        torch.nn.init.constant_(salad.dust_bin, 0.7)
    return salad


def probe(channels=24, batch=2, h=4, w=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch, channels, h, w, generator=generator),
        torch.randn(batch, channels, generator=generator),
    )


@torch.no_grad()
@pytest.mark.parametrize("dustbin", [True, False])
@pytest.mark.parametrize("token_channels", [7, 0])
def test_equals_an_independent_computation(dustbin, token_channels):
    salad = make(dustbin=dustbin, token_channels=token_channels)
    features, token = probe()
    got = salad(features, token).numpy()
    assert got.shape == (2, token_channels + 30) == (2, salad.output_dim)
    expected = salad_by_hand(arrays(salad), features.double().numpy(), token.double().numpy())
    assert np.abs(got - expected).max() < MAX_ERROR


def test_parameter_names_and_shapes_are_the_released_ones():
    shapes = {k: tuple(v.shape) for k, v in Salad(768).state_dict().items()}
    expected = {"dust_bin": ()}
    for name, out in (("token_features", 256), ("cluster_features", 128), ("score", 64)):
        ones = () if name == "token_features" else (1, 1)
        last = 2 if name == "token_features" else 3
        expected |= {f"{name}.0.weight": (512, 768, *ones), f"{name}.0.bias": (512,)}
        expected |= {f"{name}.{last}.weight": (out, 512, *ones), f"{name}.{last}.bias": (out,)}
    assert shapes == expected and len(shapes) == 13
    assert sum(p.numel() for p in Salad(768).parameters()) == 1_411_009
    assert Salad(768).output_dim == 8448


def test_without_a_dustbin_there_is_no_parameter_for_it():
    assert "dust_bin" not in make(dustbin=False).state_dict()


@torch.no_grad()
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 10.0, 60.0]), st.booleans(), st.booleans()
)
def test_every_token_is_shared_out_whole(seed, deviation, dustbin, half):
    salad = make(dustbin=dustbin)
    scores = deviation * torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(seed))
    shares = salad._shares(scores.half().float() if half else scores)
    assert torch.isfinite(shares).all() and (shares >= 0).all()
    taken = shares.sum(1)
    if dustbin:
        assert (taken <= 1 + 1e-4).all()
    else:
        assert torch.allclose(taken, torch.ones_like(taken), atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("dustbin", "mass"), [(True, 1.0), (False, 20 / 6)])
def test_clusters_get_the_mass_they_are_due(dustbin, mass):
    scores = 0.3 * torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(5))
    shares = make(dustbin=dustbin)._shares(scores)
    assert torch.allclose(shares.sum(2), torch.full((2, 6), mass), rtol=0.02)


def test_log_sum_exp_and_its_gradient_are_right_and_do_not_overflow():
    x = (40 * torch.randn(3, 5, 7)).requires_grad_()
    y = x.detach().clone().requires_grad_()
    log_sum_exp(x, 1).sum().backward()
    torch.logsumexp(y, 1).sum().backward()
    assert torch.allclose(x.grad, y.grad, atol=1e-6)
    assert torch.isfinite(log_sum_exp(torch.full((1, 4, 4), 5e4), 2)).all()


@torch.no_grad()
def test_autocast_leaves_the_transport_in_single_precision():
    salad = make()
    features, token = probe()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = salad(features, token)
    assert got.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(got, salad(features, token)).min() > 0.999


@torch.no_grad()
def test_half_precision_weights_and_huge_scores_give_numbers():
    salad = make().half()
    salad.score[3].bias.copy_(torch.linspace(-6e4, 6e4, 6))
    features, token = probe()
    got = salad(features.half(), token.half())
    assert torch.isfinite(got).all()
    assert torch.allclose(got.norm(dim=1), torch.ones(2), atol=1e-5)


def test_gradients_reach_every_parameter():
    salad = make()
    features, token = probe()
    (salad(features, token) * torch.linspace(-1, 1, 37)).sum().backward()
    for name, p in salad.named_parameters():
        assert p.grad is not None and float(p.grad.abs().max()) > 0, name


def test_too_few_tokens_are_refused():
    with pytest.raises(ValueError, match="6 clusters, not 6"):
        make()(*probe(h=2, w=3))
    assert make(dustbin=False)(*probe(h=2, w=3)).shape == (2, 37)


@torch.no_grad()
@pytest.mark.parametrize("dustbin", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_onnx_answers_the_same_for_any_batch(dustbin, tmp_path):
    salad, path = make(dustbin=dustbin), tmp_path / "salad.onnx"
    batch = {0: "batch"}
    torch.onnx.export(
        salad, probe(), str(path), input_names=["features", "token"], output_names=["descriptor"],
        dynamic_axes={n: batch for n in ("features", "token", "descriptor")},
        opset_version=17, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        features, token = probe(batch=count, seed=9)
        feed = {"features": features.numpy(), "token": token.numpy()}
        got = session.run(None, feed)[0]
        assert np.abs(got - salad(features, token).numpy()).max() < 1e-5


@pytest.mark.filterwarnings("ignore")
def test_onnx_has_no_node_that_tensorrt_gets_wrong(tmp_path):
    import onnx

    path = tmp_path / "salad.onnx"
    torch.onnx.export(make(), probe(), str(path), opset_version=17, dynamo=False)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert not kinds & {"ReduceLogSumExp", "ScatterND", "Einsum"} and "Exp" in kinds
