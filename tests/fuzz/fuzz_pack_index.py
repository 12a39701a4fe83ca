"""Any bytes as a file of a pack's index: refused in a sentence before hnswlib or numpy see it, or
searched without leaving its memory.

An input's first byte chooses the file: an hnswlib graph, a graph of which whole words were changed,
compact codes, or full descriptors.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import hnswlib
import numpy as np
from fuzz_runner import fuzz

from onboard.errors import InputError
from onboard.pack.array_file import read_npy_checked
from onboard.pack.hnsw_header import GraphShape, check_hnsw
from onboard.pack.row_file import RowFile
from onboard.pack.tile_index import IndexParameters, build_graph
from tests.onboard.hand_made_pack import clustered

COUNT, DIM = 300, 6
SHAPE = GraphShape(COUNT, DIM, 5, 20)
FOLDER = Path(tempfile.mkdtemp())
VIEWS = clustered(8, DIM, seed=5)
TOKENS = (
    *(n.to_bytes(4, "little") for n in (1, 5, 10, 24, 48, COUNT - 1, COUNT, 1 << 16, 1 << 31)),
    *(n.to_bytes(8, "little") for n in (0, COUNT, COUNT + 1, 1 << 32, 1 << 62)),
    *(b"\x93NUMPY\x01\x00", b"'descr': '|O'", b"'<f8'", b"(999999999999, 6)"),
)


def target(data: bytes) -> None:
    kind, path = (data[0] % 4 if data else 0), FOLDER / "fuzz"
    rest = _words(data[1:]) if kind == 1 else data[1:]
    path.write_bytes(rest)
    try:
        if kind <= 1:
            check_hnsw(path, SHAPE)
            _search(path)
        elif kind == 2:
            codes = read_npy_checked(path, np.uint8, (None, DIM + 2))
            assert codes.nbytes <= len(rest) and int(codes.sum(dtype=np.int64)) >= 0
        else:
            RowFile(path, "<f2", (COUNT, DIM)).rows(np.array([0, 7, COUNT - 1]))
    except InputError as e:
        assert str(e).isprintable(), e


def _words(changes: bytes) -> bytes:
    """The sound graph with words exchanged: where (2 bytes, in words) and what (2 bytes)."""
    graph = bytearray(GRAPH)
    for at in range(0, len(changes) - 3, 4):
        where = int.from_bytes(changes[at : at + 2], "little") % (len(graph) // 4) * 4
        value = int.from_bytes(changes[at + 2 : at + 4], "little")
        graph[where : where + 4] = value.to_bytes(4, "little")
    return bytes(graph)


def _search(path: Path) -> None:
    index = hnswlib.Index(space="ip", dim=DIM)
    index.load_index(str(path))
    index.set_num_threads(1)
    index.set_ef(64)
    labels, _ = index.knn_query(VIEWS, k=1)
    assert (labels < COUNT).all()


def samples() -> list[bytes]:
    np.save(FOLDER / "codes.npy", np.arange(80, dtype=np.uint8).reshape(10, DIM + 2))
    np.save(FOLDER / "rows.npy", clustered(COUNT, DIM).astype(np.float16))
    held = [(FOLDER / name).read_bytes() for name in ("codes.npy", "rows.npy")]
    changes = bytes(range(4, 68))
    return [b"\0" + GRAPH, b"\1" + changes, *(bytes([n + 2]) + d for n, d in enumerate(held))]


build_graph(clustered(COUNT, DIM), IndexParameters(m=5, ef_construction=20), FOLDER / "sound")
GRAPH = (FOLDER / "sound").read_bytes()

if __name__ == "__main__":
    sys.exit(fuzz(target, samples(), TOKENS))
