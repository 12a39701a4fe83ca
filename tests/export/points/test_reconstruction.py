import json

import numpy as np
import pytest

from export.points.reconstruction import load_reconstruction, save_reconstruction
from onboard.errors import InputError


def test_what_is_saved_is_loaded(rendered, tmp_path):
    save_reconstruction(rendered.truth, tmp_path)
    found = load_reconstruction(tmp_path)
    assert found.cameras == rendered.truth.cameras
    assert found.origin == rendered.truth.origin
    assert np.allclose(found.points.xyz, rendered.truth.points.xyz, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t["cameras"][3].update(focal_px=0.0), "focal_px"),
        (lambda t: t["cameras"][3].update(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, 2]]), "rotation"),
        (lambda t: t["cameras"][3].update(lense="wide"), "unknown key 'lense'"),
        (lambda t: t.pop("cameras"), "'cameras' is missing"),
    ],
)
def test_a_damaged_table_is_refused_by_its_key(rendered, tmp_path, change, says):
    save_reconstruction(rendered.truth, tmp_path)
    path = tmp_path / "cameras.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match=says):
        load_reconstruction(tmp_path)


def test_half_a_table_is_refused(rendered, tmp_path):
    save_reconstruction(rendered.truth, tmp_path)
    path = tmp_path / "cameras.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(InputError, match="not valid JSON"):
        load_reconstruction(tmp_path)


def test_an_absent_folder_names_the_command(tmp_path):
    with pytest.raises(InputError, match="pilotage pointcloud"):
        load_reconstruction(tmp_path / "none")
