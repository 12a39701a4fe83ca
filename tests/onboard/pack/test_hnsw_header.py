import struct
from pathlib import Path

import hnswlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.pack.hnsw_header import GraphShape, check_hnsw
from onboard.pack.tile_index import IndexParameters, build_graph
from tests.onboard.hand_made_pack import clustered

COUNT, DIM = 600, 8
SHAPE = GraphShape(COUNT, DIM, 16, 100)
ELEMENT = 96  # bytes of the header
ENTRY = SHAPE.entry_bytes
UPPER = ELEMENT + COUNT * ENTRY


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("h") / "a.hnsw"
    build_graph(clustered(COUNT, DIM), IndexParameters(), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("h") / "b.hnsw"


def with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def first_upper(data: bytes) -> int:
    """Where the first list above level 0 has its length."""
    at = UPPER
    while data[at : at + 4] == bytes(4):
        at += 4
    return at


@pytest.mark.parametrize(("count", "dim"), [(1, 4), (2, 4), (17, 3), (600, 8), (5000, 16)])
def test_what_hnswlib_writes_is_accepted(tmp_path, count, dim):
    path = tmp_path / "a.hnsw"
    build_graph(clustered(count, dim), IndexParameters(), path)
    check_hnsw(path, GraphShape(count, dim, 16, 100))


def test_another_m_is_accepted_where_the_manifest_says_so(tmp_path):
    path = tmp_path / "a.hnsw"
    build_graph(clustered(3000, 8), IndexParameters(m=5, ef_construction=3), path)
    check_hnsw(path, GraphShape(3000, 8, 5, 3))
    with pytest.raises(InputError, match="not an hnswlib index"):
        check_hnsw(path, GraphShape(3000, 8, 16, 3))


FORGED = [
    ("offset of level 0", lambda d: with_bytes(d, 0, u64(8)), "header tells"),
    ("most elements", lambda d: with_bytes(d, 8, u64(COUNT - 1)), "header tells"),
    ("most elements, huge", lambda d: with_bytes(d, 8, u64(1 << 60)), "header tells"),
    ("elements", lambda d: with_bytes(d, 16, u64(COUNT + 1)), "header tells"),
    ("size of an element", lambda d: with_bytes(d, 24, u64(1)), "header tells"),
    ("offset of the label", lambda d: with_bytes(d, 32, u64(1 << 40)), "header tells"),
    ("offset of the vector", lambda d: with_bytes(d, 40, u64(0)), "header tells"),
    ("highest level", lambda d: with_bytes(d, 48, u32(9)), "highest level"),
    ("highest level, negative", lambda d: with_bytes(d, 48, u32(0xFFFFFFFF)), "at level -1"),
    ("highest level, huge", lambda d: with_bytes(d, 48, u32(1 << 30)), "at level"),
    ("entry point", lambda d: with_bytes(d, 52, u32(COUNT)), f"element {COUNT} at"),
    ("maxM", lambda d: with_bytes(d, 56, u64(17)), "its M is"),
    ("maxM0", lambda d: with_bytes(d, 64, u64(1 << 33)), "its M is"),
    ("M", lambda d: with_bytes(d, 72, u64(0)), "its M is"),
    ("factor", lambda d: with_bytes(d, 80, struct.pack("<d", float("nan"))), "level factor"),
    ("ef", lambda d: with_bytes(d, 88, u64(1 << 50)), "ef_construction"),
    ("count of links", lambda d: with_bytes(d, ELEMENT, u32(33)), "33 links of 32"),
    ("mark of deletion", lambda d: with_bytes(d, ELEMENT + 2, b"\1"), "links of 32"),
    ("a link", lambda d: with_bytes(d, ELEMENT + 4, u32(COUNT)), "leads out"),
    (
        "last element's link",
        lambda d: with_bytes(d, ELEMENT + (COUNT - 1) * ENTRY + 4, b"\xff" * 4),
        "leads out",
    ),
    ("a vector", lambda d: with_bytes(d, ELEMENT + 132, struct.pack("<f", np.nan)), "no number"),
    ("a label", lambda d: with_bytes(d, ELEMENT + ENTRY - 8, u64(1)), "labels"),
    ("upper length", lambda d: with_bytes(d, first_upper(d), u32(67)), "link lists of 67 bytes"),
    ("upper length, huge", lambda d: with_bytes(d, first_upper(d), u32(68 << 20)), "link lists of"),
    ("upper count", lambda d: with_bytes(d, first_upper(d) + 4, u32(17)), "17 links of 16"),
    ("upper link", lambda d: with_bytes(d, first_upper(d) + 8, u32(COUNT)), "leads out"),
    ("upper length away", lambda d: with_bytes(d, first_upper(d), u32(0)), "link lists|more or"),
    ("end away", lambda d: d[:-4], "more or fewer|link lists"),
    ("odd end", lambda d: d[:-1], "more or fewer"),
    ("longer", lambda d: d + bytes(4), "more or fewer"),
    ("much longer", lambda d: d + bytes(10_000_000), "too many"),
    ("empty", lambda d: b"", "0 bytes"),
]


@pytest.mark.parametrize(
    ("change", "sentence"), [f[1:] for f in FORGED], ids=[f[0] for f in FORGED]
)
def test_every_forged_field_is_refused_with_its_reason(whole, place, change, sentence):
    place.write_bytes(change(whole))
    with pytest.raises(InputError, match=sentence):
        check_hnsw(place, SHAPE)


def test_a_link_to_an_element_that_does_not_reach_the_level(whole, place):
    levels = []
    at = UPPER
    while at < len(whole):
        (size,) = struct.unpack_from("<I", whole, at)
        levels.append(size // 68)
        at += 4 + size
    at = first_upper(whole)
    place.write_bytes(with_bytes(whole, at + 8, u32(levels.index(0))))
    with pytest.raises(InputError, match="not there"):
        check_hnsw(place, SHAPE)


def test_what_is_no_ordinary_file(tmp_path, whole):
    real = tmp_path / "real.hnsw"
    real.write_bytes(whole)
    (tmp_path / "link.hnsw").symlink_to(real)
    (tmp_path / "folder.hnsw").mkdir()
    for name in ("link", "folder", "missing"):
        with pytest.raises(InputError, match=f"{name}.hnsw: cannot be read"):
            check_hnsw(tmp_path / f"{name}.hnsw", SHAPE)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_accepted_can_be_searched(whole, place, data):
    """Any change of a few words: refused, or hnswlib finds only what is there."""
    forged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = 4 * data.draw(st.one_of(st.integers(0, 23), st.integers(0, len(forged) // 4 - 1)))
        old = int.from_bytes(forged[at : at + 4], "little")
        new = data.draw(
            st.sampled_from([0, 1, 16, 32, 68, COUNT - 1, COUNT, old + 1, old ^ 1 << 16, 1 << 31])
        )
        forged[at : at + 4] = u32(new & 0xFFFFFFFF)
    place.write_bytes(forged)
    try:
        check_hnsw(place, SHAPE)
    except InputError:
        return
    index = hnswlib.Index(space="ip", dim=DIM)
    index.load_index(str(place))
    index.set_ef(64)
    labels, _ = index.knn_query(clustered(5, DIM, seed=3), k=1)
    assert (labels < COUNT).all()
