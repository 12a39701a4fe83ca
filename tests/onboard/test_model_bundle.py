from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from onboard import model_bundle
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.inference import Network
from onboard.model_bundle import (
    DEFAULT_BUNDLE,
    bundle_path,
    load_bundle,
    shipped_bundle_of,
)

MAX_ONNX_BYTES = 25_000_000
MAX_PARAMETERS = 6_000_000


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_the_shipped_bundle_keeps_its_limits():
    bundle = load_bundle()
    info = json.loads((DEFAULT_BUNDLE / "model.json").read_text())
    assert info["parameters"] <= MAX_PARAMETERS
    assert sum((DEFAULT_BUNDLE / name).stat().st_size for name in info["files"]) <= MAX_ONNX_BYTES
    assert bundle.input_px <= 256 and bundle.descriptor_dim <= 256
    assert max(info["parity_max_abs"].values()) < 1e-3


def test_flat_and_black_pictures_give_numbers():
    describer = Describer(load_bundle(), threads=1)
    pictures = np.stack([np.full((256, 256, 3), v, np.uint8) for v in (0, 1, 128, 255)])
    for described in describer.describe(pictures):
        assert np.isfinite(described.descriptor).all()
        assert np.isfinite(described.coarse).all() and np.isfinite(described.fine).all()


@pytest.mark.parametrize("name", ["model.onnx", "decoder.onnx", "rerank.onnx", "patches.onnx"])
def test_a_changed_file_is_refused(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(InputError, match=rf"{name}.*sha256"):
        load_bundle(copy)


def test_a_missing_file_is_named(copy):
    (copy / "decoder.onnx").unlink()
    with pytest.raises(InputError, match=r"decoder\.onnx.*No such file"):
        load_bundle(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": {}}', '{"files": 3, "id": 1}'])
def test_a_broken_description_is_named(copy, text):
    (copy / "model.json").write_text(text)
    with pytest.raises(InputError, match=r"model\.json"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("descriptor_dim", None, "no key 'descriptor_dim'"),
        ("train_ground_size_m", [], "not a model description"),
        ("train_ground_size_m", [0.8, 0.1], "train_ground_size_m"),
        ("train_ground_size_m", [float("nan"), 1], "train_ground_size_m"),
        ("input_px", 0, "input_px"),
        ("descriptor_dim", -1, "descriptor_dim"),
    ],
)
def test_a_wrong_key_is_named(copy, key, value, named):
    info = json.loads((copy / "model.json").read_text()) | {key: value}
    if value is None:
        del info[key]
    (copy / "model.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=rf"model\.json.*{named}"):
        load_bundle(copy)


def test_a_file_outside_the_bundle_is_not_read(copy):
    info = json.loads((copy / "model.json").read_text())
    info["files"] = {"../other": "0" * 64, **info["files"]}
    (copy / "model.json").write_text(json.dumps(info))
    with pytest.raises(InputError, match=r"model\.json"):
        load_bundle(copy)


def test_a_graph_that_is_none_is_named(copy):
    (copy / "patches.onnx").write_bytes(b"not a graph")
    bundle = load_bundle()
    with pytest.raises(InputError, match=r"patches\.onnx"):
        Network(type(bundle)(**{**vars(bundle), "path": copy}))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two shipped bundles, `unifygeo-edge` and `gengeo-edge`, whose graphs differ."""
    for name in ("unifygeo-edge", "gengeo-edge"):
        shutil.copytree(DEFAULT_BUNDLE, tmp_path / "models" / name)
    other = tmp_path / "models" / "gengeo-edge"
    info = json.loads((other / "model.json").read_text())
    info["files"]["model.onnx"] = "1" * 64
    (other / "model.json").write_text(json.dumps(info))
    monkeypatch.setattr(model_bundle, "MODELS", tmp_path / "models")
    return tmp_path / "models"


def test_a_bundle_goes_by_its_name_or_its_folder(shipped, copy, monkeypatch):
    assert bundle_path("gengeo-edge") == shipped / "gengeo-edge"
    assert bundle_path(str(copy)) == copy
    monkeypatch.chdir(copy.parent)
    assert bundle_path("bundle") == Path("bundle")
    (copy.parent / "gengeo-edge").mkdir()
    assert bundle_path("gengeo-edge") == shipped / "gengeo-edge"
    assert bundle_path("./gengeo-edge") == Path("gengeo-edge")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gengo-edge", "did you mean 'gengeo-edge'?"),
        ("x", "known are gengeo-edge, unifygeo-edge"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(shipped, name, says):
    with pytest.raises(InputError) as caught:
        bundle_path(name)
    assert says in str(caught.value)


def test_a_packs_model_is_found_among_the_shipped(shipped):
    assert shipped_bundle_of("1" * 64) == shipped / "gengeo-edge"
    assert shipped_bundle_of("2" * 64) is None
    (shipped / "gengeo-edge" / "model.json").write_text("damaged")
    assert shipped_bundle_of("1" * 64) is None


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"kind": "retrieval"}, "gives descriptors only"),
        ({"kind": "cross-view"}, "panoramas"),
        ({"weights": "random"}, "its weights are random"),
    ],
)
def test_what_cannot_fly_is_refused_for_flight_only(copy, entry, says):
    info = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**info, **entry}))
    with pytest.raises(InputError, match=says):
        load_bundle(copy)
    measured = load_bundle(copy, for_flight=False)
    assert measured.kind.value == entry.get("kind", "flight")


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "boat"},
        {"selftest": 3},
        {"selftest": {}},
        {"selftest": {"file": "none.npz", "atol": 1, "min_cosine": 1}},
    ],
)
def test_a_wrong_entry_is_named(copy, entry):
    info = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**info, **entry}))
    with pytest.raises(InputError, match=r"model\.json: not a model description"):
        load_bundle(copy)
