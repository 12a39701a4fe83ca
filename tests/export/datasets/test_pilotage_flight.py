"""Own flights: views as onboard makes them, against the tiles of a pack."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.datasets import pilotage_flight
from export.datasets.catalogue import read_dataset, read_training_set
from export.datasets.picture_file import read_picture
from maps.pixels import encode_tile
from maps.shards import write_shard
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    Bounds,
    Manifest,
    PackModel,
    manifest_text,
)
from onboard.pack.tile_index import CELL_STEPS, IndexParameters

LEVEL, X0, Y0, TILES = 19, 437_000, 228_000, 4  # upper left XYZ tile, tiles to a side
CELL = (2 * X0 // CELL_STEPS, 2 * Y0 // CELL_STEPS)
AGL_M, FOCAL, WIDE, HIGH = 100.0, 554.0, 640, 480
HEADER = "file,rel_alt_m,yaw_deg,pitch_deg,roll_deg,centre_lat_deg,centre_lon_deg,spread_m\n"


def ground() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(20, 255, (64, 64, 3), np.uint8)
    side = 256 * TILES
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_map(folder: Path, pixels: np.ndarray) -> None:
    (folder / "index").mkdir(parents=True)
    imagery = MBTilesWriter(folder / IMAGERY_NAME)
    for row in range(TILES):
        for col in range(TILES):
            cut = pixels[row * 256 : row * 256 + 256, col * 256 : col * 256 + 256]
            encoded = encode_tile(cut)
            assert encoded is not None
            imagery.put(LEVEL, X0 + col, Y0 + row, encoded)
    imagery.commit()
    imagery.close()
    side = 2 * TILES - 1
    rows, cols = np.divmod(np.arange(side**2, dtype=np.int32), np.int32(side))
    vectors = np.random.default_rng(1).normal(size=(side**2, 16)).astype(np.float16)
    shard = write_shard(folder, LEVEL, *CELL, cols + 2 * X0, rows + 2 * Y0, vectors)
    north, west = (float(v) for v in pixel_to_latlon(X0 * 256, Y0 * 256, LEVEL))
    edge = ((X0 + TILES) * 256, (Y0 + TILES) * 256)
    south, east = (float(v) for v in pixel_to_latlon(*edge, LEVEL))
    files = (IMAGERY_NAME, *shard.paths)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name="area",
        model=PackModel("hand-made", "0" * 64, 16),
        bounds=Bounds(south, west, north, east),
        levels=(LEVEL,),
        imagery=(),
        index=IndexParameters(),
        shards=(shard,),
        files=tuple(describe_file(folder, f) for f in files),
    )
    (folder / MANIFEST_NAME).write_text(manifest_text(manifest))


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nadir photographs, heading north, over known map pixels, and one of the horizon."""
    root = tmp_path_factory.mktemp("flight")
    pixels = ground()
    write_map(root / "area.pack", pixels)
    (root / "photos").mkdir()
    text = HEADER
    for n, (x, y) in enumerate(((384.0, 512.0), (600.0, 470.0))):
        lat, lon = (float(v) for v in pixel_to_latlon(X0 * 256 + x, Y0 * 256 + y, LEVEL))
        east_m, north_m = pixel_size_m(lat, LEVEL)
        a, b = AGL_M / FOCAL / east_m, AGL_M / FOCAL / north_m
        # the middles of pixels: OpenCV counts from them, the map from corners
        m = np.array(
            [[a, 0, x - 0.5 - a * (WIDE / 2 - 0.5)], [0, b, y - 0.5 - b * (HIGH / 2 - 0.5)]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.imwrite(
            str(root / f"photos/DJI_{n}.JPG"), cv2.warpAffine(pixels, m, (WIDE, HIGH), flags=flags)
        )
        text += f"DJI_{n}.jpg,{AGL_M},0,0,0,{lat!r},{lon!r},1.0\n"
    cv2.imwrite(str(root / "photos/DJI_2.JPG"), pixels[:HIGH, :WIDE])
    text += f"DJI_2.jpg,{AGL_M},0,80,0,{lat!r},{lon!r},1.0\n"
    (root / "reference.csv").write_text(text)
    (root / "camera.toml").write_text(f"width_px = {WIDE}\nheight_px = {HIGH}\nfx = {FOCAL}\n")
    return root


def test_views_meet_their_tiles(flight: Path, tmp_path: Path) -> None:
    (found,) = read_dataset("flight", flight, work=tmp_path)
    assert "1 pictures without a view left out" in found.name
    assert [q.label for q in found.queries] == ["DJI_0", "DJI_1"]
    assert len(found.gallery) == (2 * TILES - 1) ** 2
    # (384, 512) is the middle of the tile in column 2, row 3
    best = found.positives[0][int(np.argmax(found.weights[0]))]
    assert found.gallery[best].label == f"{LEVEL}/{2 * X0 + 2}/{2 * Y0 + 3}"
    assert max(found.weights[0]) == pytest.approx(1.0, abs=1e-3)
    view, tile = (read_picture(i.picture) for i in (found.queries[0], found.gallery[best]))
    assert np.corrcoef(view.ravel(), tile.ravel())[0, 1] > 0.98
    assert math.isclose(found.gallery[best].position_deg[0], found.queries[0].position_deg[0])  # type: ignore[index]
    for own, semi in zip(found.weights, found.semi_weights, strict=True):
        assert own and min(own) > 0.39
        assert all(0.14 < w <= 0.39 for w in semi)


def test_views_are_made_once(flight: Path, tmp_path: Path) -> None:
    (first,) = read_dataset("flight", flight, work=tmp_path)
    times = [i.picture.stat().st_mtime_ns for i in (*first.queries, *first.gallery)]
    (again,) = read_dataset("flight", flight, work=tmp_path)
    assert again == first
    assert [i.picture.stat().st_mtime_ns for i in (*again.queries, *again.gallery)] == times


@pytest.mark.parametrize(
    ("name", "old", "new", "word"),
    [
        ("reference.csv", "yaw_deg", "heading", "column 'yaw_deg' is missing"),
        ("reference.csv", "rel_alt_m", "height", "column 'rel_alt_m' is missing"),
        ("reference.csv", "DJI_1.jpg", "absent.jpg", "line 3: names 'absent.jpg'"),
        ("reference.csv", f"DJI_1.jpg,{AGL_M}", "DJI_1.jpg,-5", "not above ground"),
        ("reference.csv", f"DJI_1.jpg,{AGL_M},0", f"DJI_1.jpg,{AGL_M},x", "line 3, yaw_deg"),
        ("reference.csv", ",1.0", "", "7 cells under 8"),
        ("camera.toml", "fx", "focal", "unknown key 'focal'"),
    ],
)
def test_wrong_files_are_named(
    flight: Path, tmp_path: Path, name: str, old: str, new: str, word: str
) -> None:
    path = flight / name
    good = path.read_text()
    path.write_text(good.replace(old, new))
    try:
        with pytest.raises(InputError, match=word) as caught:
            pilotage_flight.read_sets(flight, "view-tile", tmp_path)
        assert str(path) in str(caught.value)
    finally:
        path.write_text(good)


def test_a_folder_without_a_pack_and_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 map packs"):
        read_dataset("flight", tmp_path)
    with pytest.raises(InputError, match="test set"):
        read_training_set("flight", tmp_path)
