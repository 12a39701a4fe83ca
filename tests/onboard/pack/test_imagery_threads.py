"""Several threads read one pack: the flight's, the status page's, a loader's."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from maps.pixels import encode_tile
from onboard.pack.imagery import Imagery
from onboard.pack.mbtiles import MBTilesWriter

SIDE = 2


def test_every_thread_gets_its_own_pixels(tmp_path):
    writer = MBTilesWriter(tmp_path / "a.mbtiles")
    for x in range(SIDE):
        for y in range(SIDE):
            data = encode_tile(np.full((256, 256, 3), 20 + x * SIDE + y, np.uint8))
            assert data
            writer.put(10, x, y, data)
    writer.commit()
    writer.close()
    imagery = Imagery(tmp_path / "a.mbtiles", kept_tiles=3)
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
