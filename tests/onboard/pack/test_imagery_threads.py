"""Several threads read one pack: the flight's, the status page's, a loader's."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from maps.pixels import encode_tile
from onboard.pack.imagery import Imagery
from onboard.pack.mbtiles import MBTiles, MBTilesWriter

SIDE = 2


@pytest.fixture
def path(tmp_path):
    """SIDE x SIDE tiles of level 10, each of one grey."""
    writer = MBTilesWriter(tmp_path / "a.mbtiles")
    for x in range(SIDE):
        for y in range(SIDE):
            data = encode_tile(np.full((256, 256, 3), 20 + x * SIDE + y, np.uint8))
            assert data
            writer.put(10, x, y, data)
    writer.commit()
    writer.close()
    return tmp_path / "a.mbtiles"


def test_every_thread_gets_its_own_pixels(path):
    imagery = Imagery(path, kept_tiles=3)
    together = threading.Barrier(6)

    def read(seed: int) -> None:
        together.wait()
        for x, y in np.random.default_rng(seed).integers(0, SIDE, (3000, 2)).tolist():
            pixel = imagery.picture(10, x * 256 + 128, y * 256 + 128, 1, 1)[0, 0, 0]
            assert pixel == 20 + x * SIDE + y

    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change within a statement, as they may at any time
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(read, range(6)))
    finally:
        sys.setswitchinterval(usual_s)


def test_a_kept_tile_waits_for_no_tile_that_is_read_slowly(path, monkeypatch):
    imagery, tile = Imagery(path), MBTiles.tile
    imagery.picture(10, 0, 0)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args):
        begun.set()
        assert go_on.wait(10.0)
        return tile(*args)

    monkeypatch.setattr(MBTiles, "tile", slow)
    with ThreadPoolExecutor(2) as pool:
        try:
            other = pool.submit(imagery.picture, 10, 256, 0)
            assert begun.wait(10.0)
            assert pool.submit(imagery.picture, 10, 0, 0).result(5.0)[0, 0, 0] == 20
        finally:
            go_on.set()
        assert other.result(10.0)[0, 0, 0] == 20 + SIDE
