"""What is in memory changes how long a search takes, and never what it finds."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_PX, Prior
from onboard.pack import shard_keeper
from onboard.pack.map_pack import MapPack
from onboard.pack.tile_index import CELL_STEPS, TileTable
from onboard.retrieve import retrieve
from tests.onboard.hand_made_pack import LEVEL, clustered, write_pack
from tests.onboard.large_pack import write_large_pack

CELLS = 5  # to a side
TILES = 40  # of a cell
CODE_BYTES = 18  # of a tile: 16 numbers and its place


def spread_table() -> TileTable:
    """A few tiles in each of many cells."""
    rng = np.random.default_rng(3)
    cols, rows = [], []
    for cell in range(CELLS**2):
        places = rng.choice(CELL_STEPS**2, TILES, replace=False)
        cols.append((1300 + cell % CELLS) * CELL_STEPS + places % CELL_STEPS)
        rows.append((800 + cell // CELLS) * CELL_STEPS + places // CELL_STEPS)
    count = CELLS**2 * TILES
    at = (np.concatenate(cols).astype(np.int32), np.concatenate(rows).astype(np.int32))
    return TileTable(LEVEL, *at, clustered(count))


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_pack(tmp_path_factory.mktemp("k") / "a.pack", [spread_table()])


def opened(path: Path, memory_bytes: int) -> MapPack:
    return MapPack(path, MapPack.open(path).manifest, memory_bytes)


def middle_of(cell_col: int, cell_row: int) -> tuple[float, float]:
    middle = ((cell_col + 0.5) * CELL_STEPS, (cell_row + 0.5) * CELL_STEPS)
    lat, lon = pixel_to_latlon(*(m * TILE_PX / 2 for m in middle), LEVEL)
    return float(lat), float(lon)


search = st.tuples(
    st.integers(0, 999), st.integers(-1, CELLS), st.integers(-1, CELLS),
    st.sampled_from([None, 50.0, 3000.0, 40_000.0]),
)  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(searches=st.lists(search, min_size=1, max_size=12), shards=st.integers(0, 6))
def test_a_flight_finds_the_same_with_any_memory(path, searches, shards):
    """As a replay does on another machine."""
    plenty = opened(path, 1 << 30)
    little = opened(path, shards * TILES * CODE_BYTES)
    plenty.index.warm()
    for i, col, row, sigma_m in searches:
        query = clustered(1, seed=i)[0]
        prior = sigma_m and Prior(*middle_of(1300 + col, 800 + row), sigma_m)
        assert retrieve(little, LEVEL, query, 10, prior) == retrieve(
            plenty, LEVEL, query, 10, prior
        )
        assert little.index.kept_bytes() <= shards * TILES * CODE_BYTES
    assert plenty.index.kept_bytes() <= plenty.index.codes_bytes() == 1000 * CODE_BYTES


def test_memory_goes_to_the_shards_that_are_near(path):
    index = opened(path, 3 * TILES * CODE_BYTES).index
    for shard in index.of_level(LEVEL):
        index.open(shard)
    index.move_to(*middle_of(1300, 800))
    index.wait()
    near = {(1300, 800), (1301, 800), (1300, 801)}
    for shard in (*index.of_level(LEVEL), *index.of_level(LEVEL)[::-1]):
        index.open(shard)
    assert {(s.cell_col, s.cell_row) for s in index._kept} == near


def test_what_is_ahead_is_read_before_it_is_asked_for(path, monkeypatch):
    index = opened(path, 1 << 30).index
    index.move_to(*middle_of(1302, 802), reach_m=1000.0)
    index.wait()
    assert [(s.cell_col, s.cell_row) for s in index._kept] == [(1302, 802)]
    read = []
    monkeypatch.setattr(shard_keeper, "read_shard", lambda *a: read.append(a))
    assert index.open(next(iter(index._kept))) is not None and read == []


def test_a_search_waits_for_what_is_being_read_and_takes_over_what_is_not(path, monkeypatch):
    index, read_shard = opened(path, 1 << 30).index, shard_keeper.read_shard
    begun, go_on, reads = threading.Event(), threading.Event(), []

    def slow(*args):
        reads.append(args[1])
        if threading.current_thread().name.startswith("index-reader"):
            begun.set()
            assert go_on.wait(10.0)
        return read_shard(*args)

    monkeypatch.setattr(shard_keeper, "read_shard", slow)
    index.warm()
    assert begun.wait(10.0)
    first, later = reads[0], next(s for s in index.of_level(LEVEL) if s is not reads[0])
    assert index.open(later).shard is later  # not stuck behind the reader
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(index.open, first)
        go_on.set()
        assert waiting.result(10.0).shard is first
    index.wait()
    assert sorted(reads, key=id) == sorted(index.of_level(LEVEL), key=id)  # each once


def test_a_search_of_what_is_there_waits_for_no_file_that_opens_slowly(path, monkeypatch):
    pack, open_descriptors = opened(path, 1 << 30), shard_keeper.open_descriptors
    here = next(s for s in pack.index.of_level(LEVEL) if s.cell_col == 1302 and s.cell_row == 802)
    pack.index.open(here)
    pack.index.descriptors(here)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args):
        begun.set()
        assert go_on.wait(10.0)
        return open_descriptors(*args)

    monkeypatch.setattr(shard_keeper, "open_descriptors", slow)
    pack.index.move_to(*middle_of(1303, 802), reach_m=1000.0)
    assert begun.wait(10.0)
    place = Prior(*middle_of(1302, 802), 1000.0)
    with ThreadPoolExecutor(1) as pool:
        try:
            assert pool.submit(retrieve, pack, LEVEL, clustered(1)[0], 10, place).result(5.0)
        finally:
            go_on.set()


def test_a_file_that_two_threads_open_at_once_is_kept_once(path, monkeypatch):
    index, open_descriptors = opened(path, 1 << 30).index, shard_keeper.open_descriptors
    together = threading.Barrier(2)

    def both(*args):
        together.wait(10.0)
        return open_descriptors(*args)

    monkeypatch.setattr(shard_keeper, "open_descriptors", both)
    shard = index.of_level(LEVEL)[0]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(index.descriptors, [shard, shard])
    assert one is other is index.descriptors(shard)


def test_a_closed_index_reads_no_more_ahead_and_still_searches(path, monkeypatch):
    pack, read_shard = opened(path, 1 << 30), shard_keeper.read_shard
    reads, begun = [], threading.Event()

    def slow(*args):
        begun.set()
        reads.append(args[1])
        time.sleep(0.01)
        return read_shard(*args)

    monkeypatch.setattr(shard_keeper, "read_shard", slow)
    pack.index.warm()
    assert begun.wait(10.0)
    pack.index.close()
    assert len(reads) < CELLS**2
    assert len(retrieve(pack, LEVEL, clustered(1)[0], 10)) == 10
    assert len(reads) == CELLS**2


def test_closing_waits_for_no_disk_that_hangs(path, monkeypatch):
    index, read_shard = opened(path, 1 << 30).index, shard_keeper.read_shard
    begun, go_on, reads = threading.Event(), threading.Event(), []

    def hanging(*args):
        reads.append(args[1])
        begun.set()
        assert go_on.wait(10.0)
        return read_shard(*args)

    monkeypatch.setattr(shard_keeper, "read_shard", hanging)
    index.warm()
    assert begun.wait(10.0)
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(index.close).result(5.0)
        finally:
            go_on.set()
    index.wait()
    index.move_to(*middle_of(1300, 800))
    index.wait()
    assert len(reads) == 1 and index.open(reads[0]).shard is reads[0]


def test_a_pack_larger_than_the_memory_says_so(path):
    whole = opened(path, 1 << 30).index.codes_bytes()
    assert opened(path, whole).index.fits_memory()
    assert not opened(path, whole - 1).index.fits_memory()


def test_many_threads_search_at_once(path):
    alone, together = opened(path, 1 << 30), opened(path, 5 * TILES * CODE_BYTES)
    queries = clustered(60, seed=8)
    places = [Prior(*middle_of(1300 + i % 5, 800 + i % 3), 5000.0) if i % 4 else None
              for i in range(60)]  # fmt: skip
    expected = [retrieve(alone, LEVEL, q, 5, p) for q, p in zip(queries, places, strict=True)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda q, p: retrieve(together, LEVEL, q, 5, p), queries, places))
    assert found == expected


@pytest.mark.parametrize("part", ["codes", "descriptors"])
def test_a_shard_damaged_in_flight_is_a_sentence(tmp_path, part):
    pack = MapPack.open(write_pack(tmp_path / "a.pack", [spread_table()]))
    for file in (pack.path / "index").glob(f"*.{part}.npy"):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=rf"{part}\.npy: not this pack's array"):
        pack.index.check()
    pack.index.warm()  # a thread's failure is told in the log and harms nothing
    pack.index.wait()
    for prior in (None, Prior(*middle_of(1302, 802), 9000.0)):
        with pytest.raises(InputError, match=rf"{part}\.npy"):
            retrieve(pack, LEVEL, clustered(1)[0], 5, prior)


LARGE_PACK = """
import resource, sys
from pathlib import Path
import numpy as np
from onboard.pack.map_pack import MapPack
from onboard.retrieve import retrieve
from onboard.messages import Prior
path = Path(sys.argv[1])
status = Path("/proc/self/status").read_text()
data = int(next(l for l in status.splitlines() if l.startswith("VmData")).split()[1]) << 10
limit = data + (84 << 20)  # three threads, their stacks and a shard each
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
pack = MapPack(path, MapPack.open(path, check_hashes=False).manifest, 8 << 20)
assert pack.index.codes_bytes() > 84 << 20
pack.index.warm()
query = np.eye(1, 64, dtype=np.float32)[0]
south, west, north, east = pack.bounds
for i in range(1, 12):
    lat, lon = south + (north - south) * i / 12, west + (east - west) * i / 12
    assert len(retrieve(pack, 18, query, 10, Prior(lat, lon, 500.0))) == 10
    assert pack.index.kept_bytes() <= 8 << 20
assert len(retrieve(pack, 18, query, 10)) == 10
try:
    np.ones(84 << 20, np.uint8)
except MemoryError:
    print("as limited")
"""


def test_a_pack_larger_than_the_memory_it_is_given(tmp_path):
    path = write_large_pack(tmp_path / "a.pack", 1_400_000)
    run = [sys.executable, "-c", LARGE_PACK, str(path)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "as limited\n", done.stderr
