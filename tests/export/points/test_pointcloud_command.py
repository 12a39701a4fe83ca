import shutil

import numpy as np
import pytest
from rendered_ground import height_at

from export.points.reconstruction import load_reconstruction
from onboard.geodesy import enu_offset_m, offset_latlon
from tools.cli import main


def test_photographs_become_points_in_metres(rendered, tmp_path, capsys):
    pytest.importorskip("pycolmap", reason="pip install 'pilotage[survey]'")
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    rows = ["file,lat,lon"]
    for c in rendered.truth.cameras[1:7]:
        shutil.copy(rendered.photographs / c.file, photos)
        lat, lon = offset_latlon(47.0, 8.0, *c.position_m[:2])
        rows.append(f"{c.file},{lat:.9f},{lon:.9f}")
    (tmp_path / "poses.csv").write_text("\n".join(rows))
    command = [
        *("pointcloud", str(tmp_path), "--out", str(out), "--by", "colmap"),
        *("--poses", str(tmp_path / "poses.csv"), "--threads", "1"),
        *("--picture-px", "320", "--features", "600", "--focal-px", "300"),
    ]
    assert main(command) == 0
    assert "6 of 6 photographs placed" in capsys.readouterr().out
    made = load_reconstruction(out)
    at = np.array([c.position_m for c in made.cameras])
    true = np.array([c.position_m for c in rendered.truth.cameras[1:7]])
    assert made.origin is not None
    east, north = enu_offset_m(47.0, 8.0, made.origin.lat_deg, made.origin.lon_deg)
    assert np.abs(at[:, :2] + (east, north) - true[:, :2]).max() < 0.5
    assert np.abs(at[:, 2] - true[:, 2]).max() < 1.0
    x, y, z = (made.points.xyz + np.array((east, north, 0.0))).T
    inner = (np.abs(x) < 12) & (np.abs(y) < 8)
    assert inner.sum() > 2000
    assert np.mean(np.abs(z - height_at(x, y))[inner] < 1.0) > 0.8

    assert main(command) == 0
    assert "there already" in capsys.readouterr().out
    (out / "cameras.json").unlink()  # as if killed while writing: placing is not done again
    assert main([*command, "--sparse", "--ignore-positions"]) == 0
    told = capsys.readouterr().out
    assert "features" not in told and "scale and heading are arbitrary" in told
    assert load_reconstruction(out).origin is None
