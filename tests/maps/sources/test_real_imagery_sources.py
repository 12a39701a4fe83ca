"""A real mosaic, given in every way that tiles can be given, is the same imagery."""

import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from pmtiles.tile import TileType
from shapely.geometry import box

from maps.plan import tile_box
from maps.sources.open_imagery import open_imagery
from tests.maps.sources.test_pmtiles_file import HEADER, pmtiles_bytes
from tests.maps.sources.tile_server import Reply, serving

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[4] / "shared" / "data"))
FOLDER = DATA / "banepa"
ZOOM, LEVEL, COLS, ROWS = 19, 20, 4, 3  # tiles of 512 px

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no imagery at {FOLDER}; set PILOTAGE_DATA to the folder of data"
)


def test_a_town_is_the_same_from_folder_pmtiles_xyz_tms_and_wmts(tmp_path):
    files = {(int(f.parent.name), int(f.stem)): f for f in (FOLDER / str(ZOOM)).glob("*/*.jpg")}
    x0 = sorted({x for x, _ in files})[8]
    y0 = sorted({y for _, y in files})[7]
    west, _, _, north = tile_box(x0, y0, ZOOM)
    _, south, east, _ = tile_box(x0 + COLS - 1, y0 + ROWS - 1, ZOOM)
    area = box(west + 1e-6, south + 1e-6, east - 1e-6, north - 1e-6)

    def answer(path: str, _headers: dict[str, str]) -> Reply:
        query = {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        if query:
            x, y = int(query["TILECOL"]), int(query["TILEROW"])
        else:
            kind, x, y = re.match(rf"/(\w+)/{ZOOM}/(\d+)/(\d+)", path).groups()
            x, y = int(x), int(y) if kind == "xyz" else (1 << ZOOM) - 1 - int(y)
        file = files.get((x, y))
        return Reply(404) if file is None else Reply(body=file.read_bytes())

    pmtiles = tmp_path / "town.pmtiles"
    jpegs = {(ZOOM, x, y): f.read_bytes() for (x, y), f in files.items()}
    pmtiles.write_bytes(pmtiles_bytes(jpegs, {**HEADER, "tile_type": TileType.JPEG}))
    with serving(answer) as server:
        services = {
            "xyz": 'url = "%s/xyz/{z}/{x}/{y}"',
            "tms": 'url = "%s/tms/{z}/{x}/{y}"\nscheme = "tms"',
            "wmts": 'url = "%s/w"\nscheme = "wmts"\nlayer = "a"\nmatrix_set = "EPSG:3857"',
        }
        inputs = [FOLDER, pmtiles]
        for name, text in services.items():
            path = tmp_path / f"{name}.toml"
            limits = f'levels = "{ZOOM}"\ntile_px = 512\nrequests_per_s = 100\nparallel = 8\n'
            path.write_text(limits + text.replace("%s", server.url))
            inputs.append(path)
        sources = [group[0] for group in open_imagery(inputs, None, area)]
        assert {source.native_level for source in sources} == {LEVEL}
        for level in (LEVEL, LEVEL - 2):
            shrink = 1 << (LEVEL - level)
            window = [level, *(v * 512 // shrink for v in (x0, y0, COLS, ROWS))]
            first, *others = [source.read(*window) for source in sources]
            assert first.any(axis=2).mean() > 0.9
            assert all(np.array_equal(first, other) for other in others)
        assert len(server.asked) == len(set(server.paths())) >= 3 * COLS * ROWS
