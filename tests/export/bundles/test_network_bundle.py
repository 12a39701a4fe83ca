"""A descriptor network of a few thousand weights through the whole export."""

import dataclasses
import errno
import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.bundles import bundle_folder
from export.bundles.graph_file import picture_batch
from export.bundles.locator import join_with_locator
from export.bundles.mixed_precision import Precision
from export.bundles.network_bundle import BundlePlan, write_network_bundle
from export.bundles.onnx_graph import export_graph
from export.bundles.parity_views import world_views
from export.networks.convnext import Shape
from export.networks.mixvpr import MixVpr
from export.networks.unifygeo_overhead import UnifyGeoOverhead
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle

PX = 64


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 8, 8)
        self.mixer = MixVpr(8, (PX // 8) ** 2, 8, 4, 1)

    def forward(self, pictures):
        return self.mixer(nn.functional.gelu(self.stem(pictures)))


@pytest.fixture(scope="module")
def views():
    return world_views(12, 3)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="module")
def plan():
    facts = {"train_ground_size_m": [0.2, 0.6]}
    return BundlePlan("small-64", PX, Precision.FP32, None, load_bundle(), facts)


@pytest.fixture(scope="module")
def flight(network, plan, views, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "small"
    parity = write_network_bundle(out, network, plan, views)
    return out, parity


def test_the_bundle_flies_with_the_locators_maps(flight, views):
    out, parity = flight
    assert parity.overlap == 1.0 and parity.outputs["descriptor"].cosine > 0.99999
    shipped, own = Describer(load_bundle(), threads=1), Describer(load_bundle(out), threads=1)
    right, answer = (d.describe(views.gallery[:3]) for d in (shipped, own))
    for a, b in zip(right, answer, strict=True):
        np.testing.assert_allclose(b.coarse, a.coarse, atol=1e-5)
        np.testing.assert_allclose(b.fine, a.fine, atol=1e-5)
        assert b.descriptor.shape == (32,)
        assert np.linalg.norm(b.descriptor) == pytest.approx(1.0, abs=1e-5)
    assert own.network.heatmaps(answer[0], answer).shape == (3, 65, 65)


def test_the_locators_own_descriptor_is_left_out(flight):
    out, _ = flight
    whole = onnx.load(DEFAULT_BUNDLE / "model.onnx")
    joined = onnx.load(out / "model.onnx")
    assert any("global_branch" in i.name for i in whole.graph.initializer)
    assert not any("global_branch" in i.name for i in joined.graph.initializer)
    assert [v.name for v in joined.graph.input] == ["pictures"]
    assert [v.name for v in joined.graph.output] == ["descriptor", "coarse", "fine"]


def test_the_stored_self_test_is_what_the_graph_answers(flight):
    out, _ = flight
    info = json.loads((out / "model.json").read_text())
    assert (out / "selftest.npz").stat().st_size <= 300_000
    stored = np.load(out / info["selftest"]["file"])
    described = Describer(load_bundle(out), threads=1).describe(stored["pictures"])[0]
    np.testing.assert_allclose(described.descriptor, stored["descriptor"][0], atol=1e-5)
    np.testing.assert_allclose(described.coarse[:, ::4, ::4], stored["coarse_sample"][0], atol=1e-5)
    np.testing.assert_allclose(described.fine[:, ::8, ::8], stored["fine_sample"][0], atol=1e-5)


def test_mixed_precision_and_a_fixed_batch(network, plan, views, tmp_path):
    mixed = dataclasses.replace(plan, precision=Precision.MIXED, batch=4)
    parity = write_network_bundle(tmp_path / "b", network, mixed, views)
    assert parity.outputs["descriptor"].max_abs > 1e-6  # fp16 was at work
    model = onnx.load(tmp_path / "b" / "model.onnx")
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_value == 4
    describer = Describer(load_bundle(tmp_path / "b"), threads=1)
    five, alone = describer.describe(views.gallery[:5]), describer.describe(views.gallery[4:5])
    np.testing.assert_allclose(five[4].descriptor, alone[0].descriptor, atol=1e-6)
    np.testing.assert_allclose(five[4].coarse, alone[0].coarse, atol=1e-5)


def test_a_batch_larger_than_the_gallery_is_what_the_graph_takes(network, plan, views, tmp_path):
    large = dataclasses.replace(plan, batch=20, locator=None)
    write_network_bundle(tmp_path / "b", network, large, views)
    assert len(views.gallery) < 20
    assert picture_batch(onnx.load(tmp_path / "b" / "model.onnx")) == 20


def test_a_network_with_maps_of_its_own_flies_with_them(plan, views, tmp_path):
    torch.manual_seed(1)
    network = UnifyGeoOverhead(Shape((1, 1, 1, 1), (16, 32, 48, 64))).eval()
    with pytest.raises(ValueError, match="--size 256"):
        write_network_bundle(tmp_path / "b", network, plan, views)
    own = dataclasses.replace(plan, network_px=256)
    parity = write_network_bundle(tmp_path / "b", network, own, views)
    assert set(parity.outputs) == {"descriptor", "coarse", "fine"}
    described = Describer(load_bundle(tmp_path / "b"), threads=1).describe(views.gallery[:1])[0]
    shipped = Describer(load_bundle(), threads=1).describe(views.gallery[:1])[0]
    assert described.coarse.shape == shipped.coarse.shape
    assert not np.allclose(described.coarse, shipped.coarse, atol=0.1)


def test_without_a_locator_it_is_for_retrieval_and_refused_in_flight(
    network, plan, views, tmp_path
):
    alone = dataclasses.replace(plan, locator=None)
    write_network_bundle(tmp_path / "b", network, alone, views)
    assert json.loads((tmp_path / "b" / "model.json").read_text())["kind"] == "retrieval"
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [
        "model.json", "model.onnx", "selftest.npz",
    ]  # fmt: skip
    with pytest.raises(InputError, match="gives descriptors only"):
        load_bundle(tmp_path / "b")


def test_random_weights_are_refused_in_flight(network, plan, views, tmp_path):
    facts = {**plan.facts, "weights": "random"}
    write_network_bundle(tmp_path / "b", network, dataclasses.replace(plan, facts=facts), views)
    with pytest.raises(InputError, match="random"):
        load_bundle(tmp_path / "b")


def test_a_network_that_gives_nan_leaves_the_old_bundle(flight, plan, views):
    out, _ = flight
    before = (out / "model.json").read_bytes()
    broken = Small()
    nn.init.constant_(broken.stem.bias, float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        write_network_bundle(out, broken, plan, views)
    assert (out / "model.json").read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["small"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_bundle(
    flight, network, plan, views, monkeypatch
):
    out, _ = flight
    before = (out / "model.json").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bundle_folder.shutil, "copyfile", full)
    with pytest.raises(InputError, match=r"small: not written \(No space left on device\)"):
        write_network_bundle(out, network, plan, views)
    assert (out / "model.json").read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["small"]


def test_what_is_no_bundle_is_not_replaced(network, plan, views, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-a-friend.txt").write_text("dear")
    with pytest.raises(InputError, match="is no model bundle"):
        write_network_bundle(tmp_path / "letters", network, plan, views)
    assert (tmp_path / "letters" / "to-a-friend.txt").read_text() == "dear"


def test_a_locator_without_maps_is_refused(tmp_path):
    pictures = {"pictures": torch.zeros(2, 256, 256, 3, dtype=torch.uint8)}

    class Mean(nn.Module):
        def forward(self, pictures):
            return pictures.float().mean((1, 2))

    export_graph(tmp_path / "d.onnx", Mean(), pictures, ["descriptor"])
    model = onnx.load(tmp_path / "d.onnx")
    with pytest.raises(ValueError, match="no coarse and no fine"):
        join_with_locator(model, tmp_path / "d.onnx")
    (tmp_path / "cut.onnx").write_bytes((DEFAULT_BUNDLE / "model.onnx").read_bytes()[:9999])
    with pytest.raises(InputError, match=r"cut\.onnx: not an ONNX model"):
        join_with_locator(model, tmp_path / "cut.onnx")
