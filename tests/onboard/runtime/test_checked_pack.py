"""A pack's files are hashed once a boot, and again whenever one of them was touched."""

import json
import os
import shutil
import time

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.pack import pack_stamps
from onboard.pack.found_pack import find_pack
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import read_manifest
from onboard.runtime import checked_pack
from onboard.runtime.checked_pack import STAMP_NAME
from tests.onboard.hand_made_pack import COL0, LEVEL, ROW0, square_table, write_pack
from tests.onboard.signed_pack import make_signed_pack

SHARD_FILES = [f"index/z18-1367-820.{part}.npy" for part in ("codes", "descriptors")]


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
        start(pack, stamps)
    assert len(hashed) == 1


def start(pack, stamps, trust=None):
    return checked_pack.open_checked_pack(find_pack(pack, trust), None, stamps)


def damage(path):
    """As a program that wants not to be noticed: same size, same times."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_every_file_changed_in_between_is_found(pack, stamps):
    for file in read_manifest(pack).files:
        start(pack, stamps)
        whole = (pack / file.path).read_bytes()
        damage(pack / file.path)
        for _ in range(2):  # a bad pack leaves no good stamp
            with pytest.raises(InputError, match=f"{file.path}: its sha256"):
                start(pack, stamps)
        (pack / file.path).write_bytes(whole)


def test_an_exchanged_file_is_found(pack, stamps, tmp_path):
    start(pack, stamps)
    other = tmp_path / "other"
    shutil.copy2(pack / "imagery.mbtiles", other)
    damage(other)
    other.replace(pack / "imagery.mbtiles")
    with pytest.raises(InputError, match="sha256"):
        start(pack, stamps)


def test_a_missing_file_is_told(pack, stamps):
    start(pack, stamps)
    (pack / "imagery.mbtiles").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        start(pack, stamps)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"boot": 1}', "\x00", "[" * 100_000])
def test_a_damaged_stamp_is_none(pack, stamps, hashed, text):
    (stamps / STAMP_NAME).write_text(text)
    start(pack, stamps)
    assert len(hashed) == 1


def test_a_stamp_of_another_boot_is_none(pack, stamps, hashed, monkeypatch):
    start(pack, stamps)
    monkeypatch.setattr(checked_pack, "boot_id", lambda: "another")
    start(pack, stamps)
    assert len(hashed) == 2


def test_a_signed_pack_is_hashed_once_where_the_file_system_keeps_its_times(
    tmp_path, stamps, hashed, monkeypatch
):
    pack, trust = make_signed_pack(tmp_path)
    monkeypatch.setattr(checked_pack, "keeps_change_times", lambda device: True)
    for _ in range(3):
        start(pack, stamps, trust)
    assert len(hashed) == 1


def test_a_signed_pack_is_hashed_every_time_elsewhere(tmp_path, stamps, hashed, monkeypatch):
    pack, trust = make_signed_pack(tmp_path)
    monkeypatch.setattr(checked_pack, "keeps_change_times", lambda device: False)
    for _ in range(3):
        start(pack, stamps, trust)
    assert len(hashed) == 3


def test_what_was_hashed_under_another_manifest_is_hashed_again(tmp_path, stamps, hashed):
    pack, _ = make_signed_pack(tmp_path)
    start(pack, stamps)
    record = json.loads((stamps / STAMP_NAME).read_text())
    record["manifest_sha256"] = "0" * 64
    (stamps / STAMP_NAME).write_text(json.dumps(record))
    start(pack, stamps)
    assert len(hashed) == 2


def test_what_was_written_just_now_is_hashed_a_tick_of_the_clock_later(tmp_path, monkeypatch):
    """Else a write after the hashing could bear the same time of change."""
    pack, trust = make_signed_pack(tmp_path)
    check, ages_ns = checked_pack.check_files, []

    def aged(folder, manifest, *others):
        files = [folder / file.path for file in manifest.files]
        ages_ns.append(time.time_ns() - max(f.stat().st_ctime_ns for f in files))
        return check(folder, manifest, *others)

    monkeypatch.setattr(checked_pack, "check_files", aged)
    os.utime(pack / "imagery.mbtiles")
    start(pack, None, trust)
    assert ages_ns[0] > checked_pack.TICK_NS
    monkeypatch.setattr("time.sleep", lambda _: os.utime(pack / "imagery.mbtiles"))
    os.utime(pack / "imagery.mbtiles")
    with pytest.raises(InputError, match="is being written"):
        start(pack, None, trust)


def search(opened: MapPack) -> None:
    opened.nearest(LEVEL, np.full(16, 0.25, np.float32), 3)


@pytest.mark.parametrize("part", ["codes", "descriptors"])
@pytest.mark.parametrize("open_before", [False, True])
def test_a_signed_packs_index_that_is_written_in_flight_is_not_read(
    tmp_path, stamps, part, open_before
):
    pack, trust = make_signed_pack(tmp_path)
    opened = start(pack, stamps, trust)
    (shard,) = opened.manifest.shards
    if open_before and part == "descriptors":  # codes are read once, and kept in memory
        search(opened)
    damage(pack / getattr(shard, part))
    with pytest.raises(InputError, match=rf"{part}\.npy: was written or exchanged after it was"):
        search(opened)


def test_an_index_whose_folder_was_exchanged_while_it_was_opened_is_not_read(tmp_path, stamps):
    """No file in it bears a trace of that."""
    pack, trust = make_signed_pack(tmp_path)
    opened = start(pack, stamps, trust)
    shutil.copytree(pack / "index", tmp_path / "forged")
    (pack / "index").rename(tmp_path / "index")
    (tmp_path / "forged").rename(pack / "index")
    (shard,) = opened.manifest.shards
    file = opened.index.descriptors(shard)
    (pack / "index").rename(tmp_path / "forged")
    (tmp_path / "index").rename(pack / "index")
    with pytest.raises(
        InputError, match=r"descriptors\.npy: was written or exchanged after it was"
    ):
        file.rows(np.arange(3))


@pytest.mark.parametrize("made_up", [True, False])
def test_an_inode_counts_where_the_file_system_does_not_make_it_up(
    tmp_path, stamps, monkeypatch, made_up
):
    """FAT and exFAT give a file another one once it was forgotten; codes are opened at need."""
    monkeypatch.setattr(pack_stamps, "makes_inodes_up", lambda device: made_up)
    pack, trust = make_signed_pack(tmp_path)
    opened = start(pack, stamps, trust)
    (shard,) = opened.manifest.shards
    codes = pack / shard.codes
    shutil.copy2(codes, tmp_path / "forgotten")
    (tmp_path / "forgotten").replace(codes)
    if not made_up:
        with pytest.raises(InputError, match=r"codes\.npy: was written or exchanged after it was"):
            search(opened)
        return
    search(opened)
    os.utime(pack / shard.descriptors)
    with pytest.raises(InputError, match=r"descriptors\.npy: was written or exchanged after it"):
        search(opened)


def test_a_signed_pack_whose_inodes_are_made_up_is_hashed_every_time(
    tmp_path, stamps, hashed, monkeypatch
):
    monkeypatch.setattr(pack_stamps, "makes_inodes_up", lambda device: True)
    pack, trust = make_signed_pack(tmp_path)
    for _ in range(2):
        start(pack, stamps, trust)
    assert len(hashed) == 2


def test_signed_imagery_that_is_written_in_flight_is_not_read(tmp_path, stamps):
    pack, trust = make_signed_pack(tmp_path)
    opened = start(pack, stamps, trust)
    assert opened.picture(LEVEL, COL0 * 128, ROW0 * 128, 8, 8).any()
    damage(pack / "imagery.mbtiles")
    with pytest.raises(
        InputError, match=r"imagery\.mbtiles: was written or exchanged after it was"
    ):
        opened.picture(LEVEL, COL0 * 128 + 1000, ROW0 * 128, 8, 8)


@pytest.mark.parametrize("name", ["imagery.mbtiles", "manifest.json"])
def test_a_file_exchanged_between_hashing_and_opening_is_found(tmp_path, monkeypatch, name):
    pack, trust = make_signed_pack(tmp_path)
    check = checked_pack.check_files

    def exchanged(*a):
        check(*a)
        damage(pack / name)

    monkeypatch.setattr(checked_pack, "check_files", exchanged)
    with pytest.raises(InputError, match=f"{name}: was written or exchanged"):
        start(pack, None, trust)
