import cv2
import numpy as np
import pytest

from export.overhead.scenes import Source, SourceKind, load_scenes
from onboard.errors import InputError


def write_tiles(folder, columns, rows, side=32):
    for x in range(columns):
        (folder / str(500 + x)).mkdir(parents=True)
        for y in range(rows):
            tile = np.full((side, side, 3), 10 * (x + 1) + y, np.uint8)
            cv2.imwrite(str(folder / str(500 + x) / f"{300 + y}.png"), tile)


def source(**changes):
    facts = {
        "name": "s",
        "kind": SourceKind.XYZ_FOLDER,
        "path": "tiles",
        "weight": 1.0,
        "licence": "CC0",
        "ground_size_m": 0.5,
    }
    return Source(**{**facts, **changes})


def test_mosaic_keeps_west_and_east_apart(tmp_path):
    write_tiles(tmp_path / "tiles", 4, 3)
    (west,) = load_scenes(source(columns=(0, 1)), tmp_path)
    (east,) = load_scenes(source(columns=(3, 3)), tmp_path)
    assert west.size == (64, 96) and east.size == (32, 96)
    assert west.epochs[0][0][95, 63].tolist() == [22] * 3
    assert east.epochs[0][0][0, 0].tolist() == [40] * 3


def test_a_missing_tile_is_no_ground(tmp_path):
    write_tiles(tmp_path / "tiles", 2, 2)
    (tmp_path / "tiles" / "501" / "300.png").unlink()
    (scene,) = load_scenes(source(), tmp_path)
    assert scene.epochs[0][0][10, 40].max() == 0


@pytest.mark.parametrize("kind", list(SourceKind))
def test_absent_set_is_named(tmp_path, kind):
    with pytest.raises(InputError, match=r"tiles.*'s'.*'data'"):
        load_scenes(source(kind=kind), tmp_path)


@pytest.mark.parametrize("kind", [SourceKind.GEOTIFFS, SourceKind.PHOTOGRAPHS])
def test_empty_set_is_named(tmp_path, kind):
    (tmp_path / "tiles").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        load_scenes(source(kind=kind), tmp_path)


def test_undecodable_photograph_is_named(tmp_path):
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"a\.jpg"):
        load_scenes(source(kind=SourceKind.PHOTOGRAPHS), tmp_path)
