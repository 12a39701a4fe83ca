"""AnyVisLoc: views and tiles meet in the scene's metric frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from export.datasets import anyvisloc
from export.datasets.anyvisloc_files import read_shot
from export.datasets.picture_file import read_picture
from onboard.errors import InputError

RESOLUTION = 0.5
ORIGIN = (-100.0, 40.0)
SIDE = 400  # of the map: 200 m
FOCAL, WIDE, HIGH = 100.0, 120, 100  # at 40 m the square middle covers 40 m


def ground() -> NDArray[np.uint8]:
    rng = np.random.default_rng(5)
    coarse = rng.integers(30, 255, (SIDE // 16, SIDE // 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_shot(path: Path, picture_map: NDArray[np.uint8], **changes: Any) -> None:
    """A picture straight down from 40 m over the local point (0, 140), heading 90 deg: the map's
    right is the picture's up."""
    x, y = (0.0 - ORIGIN[0]) / RESOLUTION, (140.0 - ORIGIN[1]) / RESOLUTION
    scale = 40.0 / FOCAL / RESOLUTION  # map pixels to a picture pixel
    # picture right is the map's down, picture up the map's right
    m = np.array([[0, -scale, x + scale * HIGH / 2], [scale, 0, y - scale * WIDE / 2]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    bgr = cv2.warpAffine(picture_map, m, (WIDE, HIGH), flags=flags)
    fields: dict[str, Any] = {
        "image": bgr[:, :, ::-1],
        "image_size": np.array([HIGH, WIDE]),
        "K": np.array([[FOCAL, 0, WIDE / 2], [0, FOCAL, HIGH / 2], [0, 0, 1]]),
        "xyz": np.array([0.0, 140.0, 40.0]),
        "euler_deg": np.array([0.0, 0.0, 90.0]),
        "sample_id": np.array("L01_0001"),
    }
    np.savez(path, **(fields | changes))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "Scene_01"
    folder.mkdir()
    mode = {
        "map_path": "aerial_map.png",
        "map_resolution": [RESOLUTION, RESOLUTION],
        "map_origin_local": list(ORIGIN),
    }
    table = {"modes": {"aerial": mode, "satellite": mode | {"map_path": "absent.png"}}}
    (folder / "L01_reference.json").write_text(json.dumps(table))
    pixels = ground()
    masked = pixels.copy()
    masked[:, :100] = 0  # no map there
    cv2.imwrite(str(folder / "aerial_map.png"), masked)
    write_shot(folder / "L01_0001.npz", pixels)
    write_shot(folder / "L01_0002.npz", pixels, xyz=np.array([0.0, 140.0, 90.0]))
    return tmp_path


def test_sets_by_tile_width(scene: Path, tmp_path: Path) -> None:
    sets = anyvisloc.read_sets(scene, "aerial-yp", tmp_path / "work")
    assert [[q.label for q in s.queries] for s in sets] == [["L01_0001"], ["L01_0002"]]
    for one in sets:
        (query,) = one.queries
        width = one.gallery[0].width_m
        assert query.width_m and width
        assert 1.5 / 2**0.25 < width / query.width_m < 1.5 * 2**0.25
        (best,) = one.positives[0]
        distances = [np.hypot(*np.subtract(g.position_m, query.position_m)) for g in one.gallery]
        assert distances[best] == min(distances) < width / 2


def test_tiles_without_map_are_left_out(scene: Path, tmp_path: Path) -> None:
    (first, _) = anyvisloc.read_sets(scene, "aerial-p", tmp_path / "work")
    assert min((g.position_m or (0, 0))[0] for g in first.gallery) > ORIGIN[0] + 50 - 30
    for item in first.gallery:
        tile = read_picture(item.picture)
        assert tile.shape == (384, 384, 3) and (tile.max(2) > 0).mean() >= 0.4


def test_with_yaw_known_the_query_looks_like_the_map(scene: Path, tmp_path: Path) -> None:
    pixels = ground()
    x, y = int((0 - ORIGIN[0]) / RESOLUTION), int((140 - ORIGIN[1]) / RESOLUTION)
    inner = 14.0  # m to each side: the turned square's corners show no ground
    cut = pixels[y - int(inner * 2) : y + int(inner * 2), x - int(inner * 2) : x + int(inner * 2)]
    pad = round(384 * (20 - inner) / 40)
    likeness = {}
    for prior in ("yp", "p"):
        found = anyvisloc.read_sets(scene, f"aerial-{prior}", tmp_path / "work")[0]
        view = read_picture(found.queries[0].picture)
        assert view.shape == (384, 384, 3)
        middle = cv2.resize(view[pad:-pad, pad:-pad], cut.shape[1::-1], interpolation=3)
        likeness[prior] = np.corrcoef(middle.ravel(), cut.ravel())[0, 1]
    assert likeness["yp"] > 0.98
    assert likeness["p"] < 0.6


def test_the_view_reaches_ahead_by_the_pitch(scene: Path) -> None:
    path = scene / "Scene_01/L01_0001.npz"
    write_shot(path, ground(), euler_deg=np.array([0.0, 45.0, 90.0]))
    shot = read_shot(path)
    assert shot.view_centre_m == pytest.approx((40.0, 140.0))  # east, the map's right
    assert shot.side_m == pytest.approx(40.0 * 2**0.5)


def test_damaged_scenes_are_named(scene: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(InputError, match=r"absent.png.*cannot be read"):
        anyvisloc.read_sets(scene, "satellite-p", work)
    with pytest.raises(InputError, match="without a training part"):
        anyvisloc.read_training(scene, "aerial-p", work)
    shot = scene / "Scene_01/L01_0002.npz"
    write_shot(shot, ground(), xyz=np.array([0.0, 0.0, -1.0]))
    with pytest.raises(InputError, match="not above zero"):
        anyvisloc.read_sets(scene, "aerial-p", work)
    write_shot(shot, ground(), K=np.zeros(2))
    with pytest.raises(InputError, match="not a picture of AnyVisLoc"):
        anyvisloc.read_sets(scene, "aerial-p", work)
    write_shot(shot, ground(), image=np.zeros((4, 4)))
    with pytest.raises(InputError, match="not uint8"):
        anyvisloc.read_sets(scene, "aerial-p", work)
    shot.write_bytes(b"PK")
    with pytest.raises(InputError, match="not a picture of AnyVisLoc"):
        anyvisloc.read_sets(scene, "aerial-p", work)
    reference = scene / "Scene_01/L01_reference.json"
    reference.write_text('{"modes": {"aerial": {"map_path": "m.png"}}}')
    shot.unlink()
    with pytest.raises(InputError, match="map_resolution"):
        anyvisloc.read_sets(scene, "aerial-p", work)
    reference.unlink()
    with pytest.raises(InputError, match=r"no L\?\?_reference\.json"):
        anyvisloc.read_sets(scene, "aerial-p", work)
