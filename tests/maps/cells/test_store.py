import fcntl
import io
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from maps.cells.cell import Cell
from maps.cells.store import CellStore, Step, StoreHeader
from onboard.errors import InputError
from onboard.pack.pack_manifest import ImagerySource, PackModel, TerrainSource

CELL = Cell(13, 6075, 3431)
HEADER = StoreHeader(
    1,
    13,
    (17, 18),
    PackModel("m", "0" * 64, 256),
    (ImagerySource("a", "2021", "CC0", "someone", 8.0), ImagerySource("b", "", "", "")),
    False,
    TerrainSource("dem", "2020", "CC0", "someone", "EGM96", 13, 2.0),
)


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    where = {"folder": str(tmp_path / "s"), "file": f"file://{tmp_path}/s"}
    return CellStore(where.get(request.param, f"memory://{tmp_path.name}"))


def put(store, text="imagery", key="k", step=Step.LAY, name="imagery.mbtiles"):
    with store.scratch() as scratch:
        (scratch / name).write_text(text)
        return store.put(CELL, step, key, [scratch / name], {18: 5, 17: 2})


def test_what_is_put_is_there_for_another_process(store, tmp_path):
    store.put_header(HEADER)
    mark = put(store)
    again = pickle.loads(pickle.dumps(store))
    assert again.header() == HEADER
    assert again.cells() == {CELL}
    assert again.mark(CELL, Step.LAY) == mark and mark.key == "k" and mark.count == 7
    assert again.mark(CELL, Step.DESCRIBE) is None
    path = again.local(CELL, mark.file("imagery.mbtiles"), tmp_path / "copies")
    assert path.read_text() == "imagery"


def test_nothing_is_there_before(store):
    assert store.header() is None and store.cells() == set()
    assert store.mark(CELL, Step.LAY) is None
    store.remove(CELL)
    store.remove_step(CELL, Step.LAY)


def test_a_step_made_again_leaves_nothing_of_the_one_before(store):
    put(store, name="terrain.mbtiles")
    mark = put(store, key="other")
    assert store.mark(CELL, Step.LAY) == mark and mark.key == "other"
    names = {p.rpartition("/")[2] for p in store._files.ls(f"{store._root}/{CELL.name}", False)}
    assert names == {"laid.json", "imagery.mbtiles"}


def test_no_mark_stands_beside_files_that_are_not_its_own(store, monkeypatch):
    put(store)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(CellStore, "_take", killed)
    with pytest.raises(KeyboardInterrupt):
        put(store, "new imagery", key="new")
    assert store.mark(CELL, Step.LAY) is None


def test_what_another_build_put_meanwhile_is_left_for_who_reads_it(store, monkeypatch):
    mark = put(store)

    def gone(*_):
        raise AssertionError("it was taken away for a moment")

    monkeypatch.setattr(CellStore, "_remove", gone)
    monkeypatch.setattr(CellStore, "_take", gone)
    assert put(store) == mark == store.mark(CELL, Step.LAY)


def test_one_step_goes_and_the_other_stays(store, tmp_path):
    put(store)
    tiles = put(store, "tiles", step=Step.DESCRIBE, name="tiles.npz")
    store.remove_step(CELL, Step.LAY)
    assert store.mark(CELL, Step.LAY) is None and store.mark(CELL, Step.DESCRIBE) == tiles
    assert store.local(CELL, tiles.files[0], tmp_path / "copies").read_text() == "tiles"
    store.remove(CELL)
    assert store.cells() == set()


def test_a_damaged_or_missing_file_is_named(store, tmp_path):
    mark = put(store)
    store._files.pipe_file(f"{store._root}/{CELL.name}/imagery.mbtiles", b"other")
    with pytest.raises(InputError, match=r"z13-6075-3431/imagery\.mbtiles is not as its mark"):
        store.local(CELL, mark.files[0], tmp_path / "copies")
    store._files.rm_file(f"{store._root}/{CELL.name}/imagery.mbtiles")
    with pytest.raises(InputError, match=r"z13-6075-3431/imagery\.mbtiles is missing"):
        store.local(CELL, mark.files[0], tmp_path / "copies")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[]", "not what a cell store writes"),
        ('{"format": 9}', "format is 9"),
        ('{"format": 1}', "is missing"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_a_damaged_header_is_a_sentence(store, text, sentence):
    data = text if isinstance(text, bytes) else text.encode()
    store._files.makedirs(store._root, exist_ok=True)
    store._files.pipe_file(f"{store._root}/store.json", data)
    with pytest.raises(InputError, match=sentence):
        store.header()


def test_a_damaged_mark_is_a_sentence(store):
    put(store)
    store._files.pipe_file(f"{store._root}/{CELL.name}/laid.json", b'{"key": 1}')
    with pytest.raises(InputError, match=r"z13-6075-3431/laid\.json"):
        store.mark(CELL, Step.LAY)


def test_threads_that_want_the_same_file_never_see_half_of_it(tmp_path, monkeypatch):
    store = CellStore(f"memory://{tmp_path.name}")
    monkeypatch.setattr(store._files, "blocksize", 512, raising=False)
    mark = put(store, "imagery" * 10_000)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: store.local(CELL, mark.files[0], tmp_path), range(40))
        assert {path.read_text() for path in found} == {"imagery" * 10_000}


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_builds_that_put_the_same_at_once_read_it_whole(tmp_path, monkeypatch, where):
    """In a folder the second one is a worker that a stopped build left."""
    store = CellStore(f"memory://{tmp_path.name}" if where == "memory" else str(tmp_path / "s"))
    monkeypatch.setattr(type(store._files), "blocksize", 10_000, raising=False)

    def write_slowly(file, data):
        time.sleep(0.002)
        return io.BytesIO.write(file, data)

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFile.write", write_slowly)

    def put_and_read(build):
        mark = put(store, "imagery" * 10_000)
        return store.local(CELL, mark.files[0], tmp_path / str(build)).read_text()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            store.remove_step(CELL, Step.LAY)
            assert set(pool.map(put_and_read, range(8))) == {"imagery" * 10_000}


def test_two_colons_in_a_path_lead_to_no_other_store(tmp_path):
    other = CellStore(str(tmp_path / "region"))
    put(other)
    assert CellStore(str(tmp_path / "region::pack")).cells() == set()
    assert other.cells() == {CELL}


@pytest.mark.parametrize("name", ["../../precious", "/etc/passwd", ".."])
def test_a_mark_that_leads_out_of_its_cell_is_refused(store, name):
    put(store)
    path = f"{store._root}/{CELL.name}/laid.json"
    text = store._files.cat_file(path).replace(b"imagery.mbtiles", name.encode())
    store._files.pipe_file(path, text)
    with pytest.raises(InputError, match=r"z13-6075-3431/laid\.json: .* leads out"):
        store.remove_step(CELL, Step.LAY)


def test_a_second_build_on_a_folder_is_refused(tmp_path):
    store = CellStore(str(tmp_path / "s"))
    with (
        store.locked(),
        pytest.raises(InputError, match="another build is at work"),
        CellStore(f"file://{tmp_path}/s").locked(),
    ):
        pass
    with store.locked(), (tmp_path / "s" / "lock").open() as lock, pytest.raises(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_a_killed_build_left_is_cleared(tmp_path):
    (tmp_path / "s" / "scratch" / "x").mkdir(parents=True)
    with CellStore(str(tmp_path / "s")).locked():
        assert not (tmp_path / "s" / "scratch").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with (
        pytest.raises(InputError, match="exists and is no cell store"),
        CellStore(str(tmp_path)).locked(),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]


def test_an_unknown_kind_of_address_is_a_sentence():
    with pytest.raises(InputError, match="--store carrier-pigeon://x"):
        CellStore("carrier-pigeon://x")


def test_a_step_whose_file_was_cut_short_or_lost_is_to_be_done_again(tmp_path):
    store = CellStore(str(tmp_path / "s"))
    mark = put(store)
    assert store.held(CELL, Step.LAY, "k") == mark
    assert store.held(CELL, Step.LAY, "another") is None
    file = tmp_path / "s" / CELL.name / "imagery.mbtiles"
    file.write_bytes(file.read_bytes()[:2])
    assert store.held(CELL, Step.LAY, "k") is None
    file.unlink()
    assert store.held(CELL, Step.LAY, "k") is None
