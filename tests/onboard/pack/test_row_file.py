import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.pack.row_file import RowFile

ROWS = np.random.default_rng(0).normal(size=(200, 12)).astype("<f2")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("r") / "a.npy"
    np.save(path, ROWS)
    return path


@settings(deadline=None, max_examples=60)
@given(positions=st.lists(st.integers(0, 199), max_size=60))
def test_any_rows_in_any_order(path, positions):
    read = RowFile(path, "<f2", (200, 12)).rows(np.array(positions, np.intp))
    assert np.array_equal(read, ROWS[positions].reshape(-1, 12))


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("<f4", (200, 12)), ("<f2", (201, 12)), ("<f2", (200, 13)), ("<f2", (200,))],
)
def test_another_kind_than_the_manifest_says(path, dtype, shape):
    with pytest.raises(InputError, match=r"a\.npy: not this pack's array"):
        RowFile(path, dtype, shape)


def test_a_file_that_is_not_there_or_a_link(path, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        RowFile(tmp_path / "none.npy", "<f2", (200, 12))
    (tmp_path / "link.npy").symlink_to(path)
    with pytest.raises(InputError, match=r"link\.npy"):
        RowFile(tmp_path / "link.npy", "<f2", (200, 12))


def test_a_file_cut_short_in_flight_refuses_and_does_not_kill(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, ROWS)
    file = RowFile(path, "<f2", (200, 12))
    os.truncate(path, path.stat().st_size // 2)
    assert np.array_equal(file.rows(np.arange(10)), ROWS[:10])
    with pytest.raises(InputError, match="ends too early"):
        file.rows(np.arange(90, 150))


def test_files_are_closed_when_no_one_holds_them(path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        RowFile(path, "<f2", (200, 12)).rows(np.arange(3))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
