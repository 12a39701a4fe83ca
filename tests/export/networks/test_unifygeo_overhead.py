import numpy as np
import onnxruntime
import pytest
import torch
from convnext_in_numpy import randomise

from export.bundles.preprocessing import FromPictures, PictureNetwork
from export.networks.convnext import Shape
from export.networks.map_matching import HeatmapDecoder, PatchMatcher
from export.networks.unifygeo import UnifyGeo
from export.networks.unifygeo_overhead import UnifyGeoOverhead

SMALL = Shape((1, 1, 1, 1), (8, 16, 24, 32))
PX = 128


def pictures(n, seed=0):
    x = np.random.default_rng(seed).integers(1, 256, (n, PX, PX, 3), dtype=np.uint8)
    return torch.from_numpy(x)


def prepared(bgr):
    return FromPictures((PX, PX))(bgr)


@pytest.fixture(scope="module")
def network():
    return randomise(UnifyGeoOverhead(SMALL), 0)


@torch.no_grad()
def test_answers_have_the_small_sisters_shapes(network):
    descriptor, coarse, fine = network.describe(prepared(pictures(2)))
    assert descriptor.shape == (2, 32)
    assert coarse.shape == (2, 64, PX // 8, PX // 8) and fine.shape == (2, 32, PX // 4, PX // 4)
    assert torch.allclose(descriptor.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.equal(network(prepared(pictures(2))), descriptor)
    for maps in (coarse, fine):
        length = maps.norm(dim=1)
        assert float(length.min()) > 0.09 and float(length.max()) < 1.001


@torch.no_grad()
def test_decoder_and_patches_of_the_small_sister_serve_it(network):
    _, coarse, fine = network.describe(prepared(pictures(2)))
    logits, _ = HeatmapDecoder(PX)(coarse[:1], fine[:1], coarse, fine)
    middle = PX // 4 // 2
    # a view over itself lies in the middle, whatever the weights
    assert int(logits[0].argmax()) == middle * (PX // 4 + 1) + middle
    scores, weight = PatchMatcher()(fine, fine)
    assert scores.shape == (2, 4, 4, 9, 9) and float(scores[:, :, :, 4, 4].min()) > 0.7
    assert float(weight.min()) > 0.09


@torch.no_grad()
def test_black_ground_says_nothing(network):
    x = pictures(1)
    x[:, :, : PX // 2] = 0
    descriptor, coarse, fine = network.describe(prepared(x))
    assert (
        float(coarse[..., : PX // 16].abs().max()) == float(fine[..., : PX // 8].abs().max()) == 0
    )
    assert float(coarse[..., PX // 16 :].norm(dim=1).min()) > 0.09
    assert torch.isfinite(descriptor).all()


@torch.no_grad()
@pytest.mark.parametrize("value", [0, 1, 255])
def test_flat_pictures_give_numbers(network, value):
    x = torch.full((1, PX, PX, 3), value, dtype=torch.uint8)
    for answer in network.describe(prepared(x)):
        assert torch.isfinite(answer).all()


@torch.no_grad()
def test_encoder_and_heads_take_the_weights_of_the_vigor_release():
    shape = Shape((1, 1, 2, 1), (48, 96, 192, 384))
    release, own = UnifyGeo(shape, (64, 192)).state_dict(), UnifyGeoOverhead(shape).state_dict()
    for prefix, theirs in (
        ("encoder.", "sat_encoder.model."),
        ("global_head.", "sat_global_feats_decoder."),
        ("local_head.", "sat_local_feats_decoder."),
    ):
        parts = {k: v.shape for k, v in own.items() if k.startswith(prefix)}
        assert parts and all(
            release[theirs + k.removeprefix(prefix)].shape == shape for k, shape in parts.items()
        )


@torch.no_grad()
def test_onnx_answers_the_same(network, tmp_path):
    names, path = ["descriptor", "coarse", "fine"], tmp_path / "model.onnx"
    from_pictures = PictureNetwork(network, (PX, PX), lambda n, x: n.describe(x)).eval()
    torch.onnx.export(
        from_pictures, (pictures(2),), str(path), input_names=["pictures"], output_names=names,
        dynamic_axes={n: {0: "batch"} for n in ("pictures", *names)}, opset_version=17,
        dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = pictures(3, seed=1)
    x[0, :40] = 0
    for got, want in zip(
        session.run(names, {"pictures": x.numpy()}), from_pictures(x), strict=True
    ):
        np.testing.assert_allclose(got, want.numpy(), atol=2e-5)
