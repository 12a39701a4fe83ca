import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.training.csv_log import append_row, truncate_after
from onboard.errors import InputError


def write(path, steps):
    for step in steps:
        append_row(path, {"step": step, "loss": step / 7, "name": "a,b"})


def rows(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_rows_are_appended_below_one_header(tmp_path):
    write(tmp_path / "log.csv", (20, 40))
    assert rows(tmp_path / "log.csv") == [
        {"step": "20", "loss": "2.8571", "name": "a,b"},
        {"step": "40", "loss": "5.7143", "name": "a,b"},
    ]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_kill_at_any_byte_leaves_the_rows_up_to_the_checkpoint(tmp_path_factory, data):
    """Whatever was on disk, cutting back and going on gives the uninterrupted log."""
    folder = tmp_path_factory.mktemp("log")
    path, whole = folder / "log.csv", folder / "whole.csv"
    write(whole, range(20, 201, 20))
    text = whole.read_bytes()
    checkpoint = data.draw(st.integers(0, 10)) * 20
    # rows up to the checkpoint were written before it
    least = len(text) if checkpoint == 200 else text.index(b"\n%d," % (checkpoint + 20)) + 1
    if checkpoint == 0:
        least = 0
    path.write_bytes(text[: data.draw(st.integers(least, len(text)))])
    truncate_after(path, checkpoint)
    write(path, range(checkpoint + 20, 201, 20))
    assert path.read_bytes() == text


def test_another_file_is_not_cut(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("name,grade\nada,1\n")
    with pytest.raises(InputError, match=r"log\.csv: not a log"):
        truncate_after(path, 10)
    assert path.read_text() == "name,grade\nada,1\n"


def test_nothing_to_cut_is_good(tmp_path):
    truncate_after(tmp_path / "log.csv", 10)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        append_row(tmp_path / "absent" / "log.csv", {"step": 1})
