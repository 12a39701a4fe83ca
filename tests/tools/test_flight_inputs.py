"""Which network flies: the map pack decides unless it is forced."""

from __future__ import annotations

import argparse
import json
import shutil

import pytest

from onboard.errors import InputError
from onboard.inference import Backend
from onboard.model_bundle import load_bundle, shipped_bundles
from tools.flight_inputs import add_flight_arguments, open_flight_inputs


@pytest.fixture
def flight(small_area, tmp_path):
    return small_area.write_flight(tmp_path / "flight", count=1)


def opened(flight, pack, *more):
    parser = argparse.ArgumentParser()
    add_flight_arguments(parser)
    camera = str(flight.parent / "cam.toml")
    return open_flight_inputs(
        flight, parser.parse_args(["--map", str(pack), "--camera", camera, *more])
    )


def described_with(small_area, folder, sha256):
    """The small map, said to be another model's."""
    shutil.copytree(small_area.pack, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["model"] |= {"sha256": sha256, "id": "of another"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_the_pack_names_its_shipped_model(small_area, flight, tmp_path, name):
    bundle = load_bundle(shipped_bundles()[name])
    pack = described_with(small_area, tmp_path / "a.pack", bundle.sha256)
    inputs = opened(flight, pack)
    assert inputs.describer.bundle == bundle
    assert any(note.startswith(f"{bundle.id} runs on onnxruntime") for note in inputs.notes)


def test_a_forced_model_must_be_the_packs(small_area, flight):
    other = next(n for n in sorted(shipped_bundles()) if n != "unifygeo-edge")
    with pytest.raises(InputError, match=r"described with model unifygeo-edge"):
        opened(flight, small_area.pack, "--model", other)


def test_a_pack_of_an_unknown_model_is_refused(small_area, flight, tmp_path):
    pack = described_with(small_area, tmp_path / "a.pack", "9" * 64)
    with pytest.raises(InputError, match="described with model of another"):
        opened(flight, pack)


def test_one_setting_forces_the_backend_and_the_option_goes_first(small_area, flight, tmp_path):
    settings = tmp_path / "drone.toml"
    settings.write_text('[inference]\nbackend = "onnxruntime-cpu"\n')
    inputs = opened(flight, small_area.pack, "--settings", str(settings))
    assert inputs.describer.network.backend is Backend.ONNXRUNTIME_CPU
    settings.write_text('[inference]\nbackend = "onnxruntime-tensorrt"\n')
    with pytest.raises(InputError, match=r"the backend (to )?onnxruntime-cpu"):
        opened(flight, small_area.pack, "--settings", str(settings))
    opened(flight, small_area.pack, "--settings", str(settings), "--backend", "onnxruntime-cpu")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[inference]\nbackend = "tensorflow"\n', "'tensorflow' is not one of auto"),
        ('[inference]\nbackends = "auto"\n', "did you mean 'backend'?"),
        ("[inferense]\n", "did you mean 'inference'?"),
    ],
)
def test_a_wrong_setting_is_one_sentence(small_area, flight, tmp_path, text, says):
    (tmp_path / "drone.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        opened(flight, small_area.pack, "--settings", str(tmp_path / "drone.toml"))
    assert says in str(caught.value) and "drone.toml" in str(caught.value)
