"""A pack's files are hashed once a boot, and again whenever one of them was touched."""

import os
import shutil

import pytest

from onboard.errors import InputError
from onboard.runtime import checked_pack
from onboard.runtime.checked_pack import STAMP_NAME, open_checked_pack
from tests.onboard.hand_made_pack import square_table, write_pack


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "area.pack", [square_table(4)])


@pytest.fixture
def stamps(tmp_path):
    (tmp_path / "stamps").mkdir()
    return tmp_path / "stamps"


@pytest.fixture
def hashed(monkeypatch):
    """How often files were hashed."""
    calls = []
    check = checked_pack.check_files
    monkeypatch.setattr(checked_pack, "check_files", lambda *a: (calls.append(1), check(*a))[1])
    return calls


def test_the_second_start_does_not_hash(pack, stamps, hashed):
    for _ in range(3):
        open_checked_pack(pack, None, stamps)
    assert len(hashed) == 1


def damage(path):
    """As a program that wants not to be noticed: same size, same times."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("name", ["imagery.mbtiles", "index/z18-0-0.npz", "index/z18-0-0.hnsw"])
def test_a_file_changed_in_between_is_found(pack, stamps, name):
    open_checked_pack(pack, None, stamps)
    damage(pack / name)
    with pytest.raises(InputError, match="sha256"):
        open_checked_pack(pack, None, stamps)
    with pytest.raises(InputError, match="sha256"):  # a bad pack leaves no good stamp
        open_checked_pack(pack, None, stamps)


def test_an_exchanged_file_is_found(pack, stamps, tmp_path):
    open_checked_pack(pack, None, stamps)
    other = tmp_path / "other"
    shutil.copy2(pack / "imagery.mbtiles", other)
    damage(other)
    other.replace(pack / "imagery.mbtiles")
    with pytest.raises(InputError, match="sha256"):
        open_checked_pack(pack, None, stamps)


def test_a_missing_file_is_told(pack, stamps):
    open_checked_pack(pack, None, stamps)
    (pack / "imagery.mbtiles").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        open_checked_pack(pack, None, stamps)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"boot": 1}', "\x00", "[" * 100_000])
def test_a_damaged_stamp_is_none(pack, stamps, hashed, text):
    (stamps / STAMP_NAME).write_text(text)
    open_checked_pack(pack, None, stamps)
    assert len(hashed) == 1


def test_a_stamp_of_another_boot_is_none(pack, stamps, hashed, monkeypatch):
    open_checked_pack(pack, None, stamps)
    monkeypatch.setattr(checked_pack, "_boot_id", lambda: "another")
    open_checked_pack(pack, None, stamps)
    assert len(hashed) == 2
