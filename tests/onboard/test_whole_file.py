import pytest

from onboard.errors import InputError
from onboard.whole_file import make_folder, write_whole


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write_whole(tmp_path / "a.txt", "old")
    write_whole(tmp_path / "a.txt", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"new"


def test_a_text_in_pieces_that_fails_half_way_leaves_nothing(tmp_path):
    def pieces():
        yield "half"
        raise ValueError

    write_whole(tmp_path / "a.txt", iter(["whole ", "text"]))
    assert (tmp_path / "a.txt").read_text() == "whole text"
    with pytest.raises(ValueError):
        write_whole(tmp_path / "b.txt", pieces())
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / "none" / "a.txt", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / "file" / "a.txt", "x")


def test_a_file_in_the_way_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match=r"out: this folder cannot be made"):
        make_folder(tmp_path / "out")
