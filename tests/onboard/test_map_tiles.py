"""The status page's own way to the imagery."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from maps.pixels import encode_tile
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from onboard.web import map_tiles
from onboard.web.map_tiles import MapTiles


def test_closing_waits_for_no_disk_that_hangs(tmp_path, monkeypatch):
    writer = MBTilesWriter(tmp_path / "a.mbtiles")
    writer.put(10, 0, 0, encode_tile(np.full((256, 256, 3), 20, np.uint8)))
    writer.commit()
    writer.close()
    tiles, tile = MapTiles(tmp_path / "a.mbtiles"), MBTiles.tile
    begun, go_on = threading.Event(), threading.Event()

    def hanging(*args):
        begun.set()
        assert go_on.wait(10.0)
        return tile(*args)

    monkeypatch.setattr(MBTiles, "tile", hanging)
    monkeypatch.setattr(map_tiles, "CLOSE_S", 0.01)
    with ThreadPoolExecutor(2) as pool:
        try:
            reader = pool.submit(tiles.tile, 10, 0, 0)
            assert begun.wait(10.0)
            pool.submit(tiles.close).result(5.0)
        finally:
            go_on.set()
        assert reader.result(10.0)  # its file was not closed
