from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from onboard.describe import Describer
from onboard.errors import InputError
from onboard.inference import Network
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle

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
