"""Numbers, lines and tables of label files, whatever stands in them."""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.datasets.text_files import number, position, read_csv, read_json, read_lines
from onboard.errors import InputError

TABLE = Path(tempfile.mkdtemp(prefix="pilotage-tables-"))
atexit.register(shutil.rmtree, TABLE, ignore_errors=True)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back(value: float) -> None:
    assert number(repr(value), "f, line 1") == value


@given(st.one_of(st.text(), st.none(), st.booleans(), st.sampled_from(["nan", "inf", "1e999"])))
def test_a_number_is_finite_or_refused(text: object) -> None:
    try:
        assert math.isfinite(number(text, "f, line 1"))
    except InputError as e:
        assert "f, line 1" in str(e)


def test_positions_lie_on_the_globe() -> None:
    assert position("30.5", "-120", "f") == (30.5, -120.0)
    for lat, lon in (("91", "0"), ("0", "181"), ("x", "0")):
        with pytest.raises(InputError):
            position(lat, lon, "f")


@given(
    st.lists(
        st.lists(
            st.text(st.sampled_from("ab1 ,;\"'\r\n\tä"), min_size=1, max_size=5),
            min_size=1,
            max_size=4,
        ),
        max_size=4,
    )
)
def test_tables_are_read_or_refused(rows: list[list[str]]) -> None:
    path = TABLE / "t.csv"
    path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    try:
        assert all(any(cells) for _, cells in read_csv(path))
    except InputError as e:
        assert str(path) in str(e)


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_bytes(b"\xef\xbb\xbfa b\r\n\r\n  c\n")
    assert read_lines(path) == [(1, "a b"), (3, "c")]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_empty_and_binary_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad"
    path.write_bytes(data)
    for read in (read_lines, read_csv):
        with pytest.raises(InputError, match="get"):
            read(path)
    with pytest.raises(InputError, match=r"JSON|UTF-8"):
        read_json(path, list)
    with pytest.raises(InputError, match="no such file"):
        read_lines(tmp_path / "absent")


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.json"
    path.write_text("{}")
    assert read_json(path, dict) == {}
    with pytest.raises(InputError, match="not a list"):
        read_json(path, list)
