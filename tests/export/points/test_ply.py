import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.points.ply import PointCloud, read_ply, write_ply
from onboard.errors import InputError

FLOATS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=15, deadline=None)
@given(
    xyz=arrays(np.float64, st.tuples(st.integers(0, 5), st.just(3)), elements=FLOATS),
    coloured=st.booleans(),
    binary=st.booleans(),
)
def test_what_is_written_is_read_back(tmp_path_factory, xyz, coloured, binary):
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    rgb = (np.abs(xyz) % 256).astype(np.uint8) if coloured else None
    write_ply(path, PointCloud(xyz, rgb), binary)
    found = read_ply(path)
    assert np.array_equal(found.xyz, xyz)
    assert (found.rgb is None) == (not coloured)
    assert rgb is None or np.array_equal(found.rgb, rgb)


def test_other_properties_and_elements_are_passed_over(tmp_path):
    path = tmp_path / "mesh.ply"
    path.write_text(
        "ply\nformat ascii 1.0\ncomment made elsewhere\nelement vertex 2\n"
        "property double z\nproperty float x\nproperty float y\nproperty float nx\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        "3 1 2 0.5\n6 4 5 0.5\n3 0 1 0\n"
    )
    assert read_ply(path).xyz.tolist() == [[1, 2, 3], [4, 5, 6]]


HEAD = "ply\nformat {} 1.0\nelement vertex {}\nproperty float x\nproperty float y\n{}end_header\n"
Z = "property float z\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a .ply file"),
        (b"ply\nformat ascii 1.0\n", "not a .ply file"),
        (HEAD.format("ascii", 2, Z).encode() + b"1 2 3\n", "ends after 1 of 2 points"),
        (HEAD.format("ascii", 1, Z).encode() + b"1 2 3 4\n", "4 numbers each"),
        (HEAD.format("ascii", 1, Z).encode() + b"1 b 3\n", "not 3 numbers"),
        (HEAD.format("ascii", 1, Z).encode() + b"1 nan 3\n", "point 0 has a coordinate"),
        (HEAD.format("ascii", 1, "").encode() + b"1 2\n", "no x, y, z"),
        (HEAD.format("binary_little_endian", 3, Z).encode() + bytes(25), "ends after 2 of 3"),
        (HEAD.format("binary_big_endian", 1, Z).encode() + bytes(12), "binary_big_endian"),
        (HEAD.format("binary_little_endian", 10**15, Z).encode(), "at most 50000000"),
        (HEAD.format("ascii", "-1", Z).encode(), "line 3"),
        (HEAD.format("ascii", 1, Z + "property float x\n").encode(), "'x' is there twice"),
    ],
)
def test_unfit_files_are_refused_in_a_sentence(tmp_path, content, says):
    path = tmp_path / "bad.ply"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)) as e:
        read_ply(path)
    assert str(path) in str(e.value)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_ply(tmp_path / "none.ply")


def test_a_cloud_of_the_wrong_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match="coordinates"):
        write_ply(tmp_path / "a.ply", PointCloud(np.zeros((3, 2))))
