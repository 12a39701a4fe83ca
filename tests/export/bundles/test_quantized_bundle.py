import json

import numpy as np
import onnx
import pytest

from export.bundles.constant_folding import fold_constants
from export.bundles.cpu_rewrites import speed_up_for_cpu
from export.bundles.flops import count_work
from export.bundles.graph_runs import OnnxRun
from export.bundles.locator import set_batch
from export.bundles.parity_views import views_of, world_views
from export.bundles.quantize import Target, quantize_graph
from export.bundles.quantized_bundle import write_quantized_bundle
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle

SHIPPED = DEFAULT_BUNDLE / "model.onnx"


@pytest.fixture(scope="module")
def views():
    return world_views(44, 6)


@pytest.fixture(scope="module")
def quantized(views, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "int8"
    return out, write_quantized_bundle(load_bundle(), out, views, threads=1)


def test_an_encoder_of_a_fixed_batch_is_refused(views, tmp_path):
    model = onnx.load(SHIPPED)
    set_batch(model, 2)
    onnx.save(model, tmp_path / "two.onnx")
    with pytest.raises(ValueError, match=r"two\.onnx takes 2 pictures at once; export it with"):
        quantize_graph(tmp_path / "two.onnx", tmp_path / "out.onnx", views.gallery[:1])


def test_the_shipped_encoder_keeps_its_neighbours_in_int8(quantized):
    out, done = quantized
    assert done.products >= 20
    assert done.parity.overlap >= 0.97 and done.parity.not_finite == ()
    assert min(o.cosine for o in done.parity.outputs.values()) > 0.99
    info = json.loads((out / "model.json").read_text())
    assert info["precision"] == "int8" and info["quantized_from"]["sha256"] == load_bundle().sha256
    assert load_bundle(out).id == "unifygeo-edge-1-int8"


def test_weights_shrink_and_the_rest_of_the_bundle_is_the_same(quantized):
    out, _ = quantized
    small, large = (count_work(onnx.load(p)) for p in (out / "model.onnx", SHIPPED))
    assert small.weight_bytes < 0.4 * large.weight_bytes
    assert small.flops >= 0.99 * large.flops
    for name in ("rerank.onnx", "decoder.onnx", "patches.onnx"):
        assert (out / name).read_bytes() == (DEFAULT_BUNDLE / name).read_bytes()


def test_it_flies(quantized, views):
    out, _ = quantized
    describer = Describer(load_bundle(out), threads=1)
    described = describer.describe(views.gallery[:2])
    assert describer.network.heatmaps(described[0], described).shape == (2, 65, 65)


def test_few_channels_and_reliabilities_stay_fp32(quantized):
    out, _ = quantized
    model = onnx.load(out / "model.onnx")
    made_by = {o: n for n in model.graph.node for o in n.output}
    weights = {i.name: i for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        source = made_by.get(node.input[1])
        if source is None:
            dims = weights[node.input[1]].dims
            assert dims[1] < 32 or dims[0] == 1, node.name
        else:
            assert source.op_type == "DequantizeLinear"
            assert weights[source.input[0]].dims[1] >= 32


def test_for_tensorrt_zero_points_are_zero_and_biases_are_not_quantized(views, tmp_path):
    quantize_graph(SHIPPED, tmp_path / "m.onnx", views.gallery[:4], Target.TENSORRT)
    model = onnx.load(tmp_path / "m.onnx")
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    nodes = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert nodes
    for node in nodes:
        zero = weights[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any()
    assert not any(v.dtype == np.int32 for v in weights.values())


def test_the_cpu_rewrites_change_only_rounding(views, tmp_path):
    model = onnx.load(SHIPPED)
    fold_constants(model)
    before = [n.op_type for n in model.graph.node]
    speed_up_for_cpu(model)
    after = [n.op_type for n in model.graph.node]
    assert after.count("ReduceSum") < before.count("ReduceSum") and "ReduceMax" in before
    onnx.save(model, tmp_path / "m.onnx")
    right, answer = (OnnxRun(p, 1)(views.gallery[:3]) for p in (SHIPPED, tmp_path / "m.onnx"))
    for name in right:
        np.testing.assert_allclose(answer[name], right[name], atol=1e-4)


def test_damage_and_a_useless_request_are_one_sentence(views, tmp_path):
    (tmp_path / "short.onnx").write_bytes(SHIPPED.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"short\.onnx: not an ONNX model, or cut short"):
        quantize_graph(tmp_path / "short.onnx", tmp_path / "m.onnx", views.gallery[:2])
    with pytest.raises(InputError, match="cannot be read"):
        quantize_graph(tmp_path / "none.onnx", tmp_path / "m.onnx", views.gallery[:2])
    with pytest.raises(InputError, match="at least"):
        views_of(None, gallery=3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="0 tiles"):
        views_of(tmp_path / "empty")
