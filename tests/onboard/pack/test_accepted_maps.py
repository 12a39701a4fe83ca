import errno
import json
import os
import threading

import pytest

from onboard.errors import InputError
from onboard.pack.accepted_maps import accept, read_accepted
from onboard.pack.pack_signature import Signed


def signed(pack="area", serial=5, issued="2026-11-18"):
    return Signed(pack, f"{serial:064x}", serial, issued, "a" * 16)


def test_the_newest_of_each_pack_is_kept(tmp_path):
    path = tmp_path / "state" / "accepted.json"
    assert read_accepted(path).certain_day == ""
    for pack, serial in (("a", 3), ("b", 9), ("a", 4), ("a", 4)):
        accept(path, tmp_path, signed(pack, serial))
    assert [(m.pack, m.serial) for m in read_accepted(path).maps] == [("a", 4), ("b", 9)]
    with pytest.raises(InputError, match="has accepted serial 4 of 'a'"):
        accept(path, tmp_path, signed("a", 3))


def test_the_newest_day_is_kept(tmp_path):
    path = tmp_path / "accepted.json"
    for day, kept in (("2026-11-18", "2026-11-18"), ("2027-01-01",) * 2, ("", "2027-01-01")):
        accept(path, tmp_path, signed(), day)
        assert read_accepted(path).certain_day == kept
    accept(path, tmp_path, signed(serial=6), "2026-12-01")
    assert read_accepted(path).certain_day == "2027-01-01"


def test_a_disk_that_takes_no_new_day_refuses_no_map_that_is_known(tmp_path, monkeypatch):
    path = tmp_path / "accepted.json"
    accept(path, tmp_path, signed(), "2026-11-18")

    def full(*_):
        raise InputError("cannot be written")

    monkeypatch.setattr("onboard.pack.accepted_maps.write_whole", full)
    accept(path, tmp_path, signed(), "2026-11-19")
    with pytest.raises(InputError, match="cannot be written"):
        accept(path, tmp_path, signed(serial=6), "2026-11-19")


def test_the_same_again_writes_nothing(tmp_path):
    path = tmp_path / "accepted.json"
    accept(path, tmp_path, signed())
    before = path.stat()
    accept(path, tmp_path, signed())
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2}',
        '{"maps": [{}]}',
        '{"certain_day": "soon"}',
        '{"maps": [{"pack": "a", "serial": -1, "manifest_sha256": "", "issued": ""}]}',
        "[" * 100_000,
        "\0" * 4096,
    ],
)
def test_a_damaged_list_is_told_and_nothing_is_accepted(tmp_path, text):
    path = tmp_path / "accepted.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"list of accepted maps is damaged.*remove this file"):
        read_accepted(path)
    with pytest.raises(InputError, match="is damaged"):
        accept(path, tmp_path, signed())
    assert path.read_text() == text


@pytest.mark.parametrize("call", ["os.open", "fcntl.flock"])
def test_a_folder_that_cannot_be_locked_is_one_sentence(tmp_path, monkeypatch, call):
    path = tmp_path / "accepted.json"
    accept(path, tmp_path, signed(), "2026-11-18")

    def fails(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(f"onboard.pack.accepted_maps.{call}", fails)
    with pytest.raises(InputError, match=r"cannot be locked \(No locks available\); .* let this"):
        accept(path, tmp_path, signed(serial=6), "2026-11-18")
    accept(path, tmp_path, signed(), "2026-11-18")  # nothing to write
    accept(path, tmp_path, signed(), "2026-11-19")  # but the day
    assert read_accepted(path).certain_day == "2026-11-18"


def test_many_at_once_lose_none(tmp_path):
    path = tmp_path / "accepted.json"
    threads = [
        threading.Thread(target=accept, args=(path, tmp_path, signed(f"p{i}", i + 1)))
        for i in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(path.read_text())["maps"]) == 16
