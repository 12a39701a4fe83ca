import errno
import fcntl
import sqlite3
from pathlib import Path

import pytest

from maps.partial_pack import partial_pack
from onboard.errors import BackendError, InputError
from onboard.pack.pack_manifest import MANIFEST_NAME

REQUEST = {"levels": [18], "inputs": "a"}


def leave_something(out, error=None, request=REQUEST, replace=False):
    with partial_pack(out, request, replace=replace) as (folder, note):
        (folder / "work").write_text("done so far")
        if error is not None:
            raise error
    return note


def test_the_folder_gets_its_name_when_whole(tmp_path):
    leave_something(tmp_path / "a.pack")
    assert [p.name for p in tmp_path.iterdir()] == ["a.pack"]
    assert [p.name for p in (tmp_path / "a.pack").iterdir()] == ["work"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
    ],
)
def test_a_system_error_is_a_sentence_and_keeps_the_work(tmp_path, error, sentence):
    with pytest.raises(InputError, match=sentence):
        leave_something(tmp_path / "a.pack", error)
    assert not (tmp_path / "a.pack").exists()
    with partial_pack(tmp_path / "a.pack", REQUEST, replace=False) as (folder, note):
        assert "going on" in note
        assert (folder / "work").read_text() == "done so far"


def test_a_name_with_full_in_it_is_no_full_disk(tmp_path):
    with pytest.raises(InputError, match="Read-only file system"):
        leave_something(
            tmp_path / "fullmap.pack",
            OSError(errno.EROFS, "Read-only file system", str(tmp_path / "fullmap.pack")),
        )


def test_nobody_gets_in_while_the_folder_gets_its_name(tmp_path, monkeypatch):
    out, rename = tmp_path / "a.pack", Path.rename

    def meanwhile(path, target):
        with pytest.raises(InputError, match="another build is at work"):
            leave_something(out, request={"levels": [17]})
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", meanwhile)
    with partial_pack(out, REQUEST, replace=False) as (folder, _):
        (folder / MANIFEST_NAME).write_text("{}")
    assert [p.name for p in out.iterdir()] == [MANIFEST_NAME]


def test_a_lock_of_a_folder_that_has_just_got_its_name_is_no_lock(tmp_path, monkeypatch):
    out, flock = tmp_path / "a.pack", fcntl.flock

    def late(lock, how):
        (tmp_path / "a.pack.partial").rename(out)  # the build that held it ends here
        return flock(lock, how)

    monkeypatch.setattr("maps.partial_pack.fcntl.flock", late)
    with pytest.raises(InputError, match="another build is at work"):
        leave_something(out)
    assert [p.name for p in out.iterdir()] == ["lock"]


def test_a_file_system_without_room_for_files_is_not_called_full():
    """/proc tells of no free byte, and of no full disk."""
    with (
        pytest.raises(InputError, match="No such file or directory"),
        partial_pack(Path("/proc/a.pack"), REQUEST, replace=False),
    ):
        pass


def test_another_request_starts_afresh_and_says_so(tmp_path):
    with pytest.raises(InputError):
        leave_something(tmp_path / "a.pack", OSError(errno.ENOSPC, "x"))
    with partial_pack(tmp_path / "a.pack", {"levels": [17]}, replace=False) as (folder, note):
        assert "starting afresh" in note
        assert not (folder / "work").exists()


def test_a_wrong_input_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="cut short"):
        leave_something(tmp_path / "a.pack", InputError("a.tif: cut short"))
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_failed_keeps_the_work(tmp_path):
    failed = InputError("the GPU failed; it goes on")
    failed.__cause__ = BackendError("illegal memory access")
    with pytest.raises(InputError, match="the GPU failed"):
        leave_something(tmp_path / "a.pack", failed)
    assert "going on" in leave_something(tmp_path / "a.pack")


def test_an_interruption_keeps_the_work(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        leave_something(tmp_path / "a.pack", KeyboardInterrupt())
    assert "going on" in leave_something(tmp_path / "a.pack")


def test_an_existing_pack_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "a.pack"
    out.mkdir()
    (out / "old").touch()
    (out / MANIFEST_NAME).touch()
    with pytest.raises(InputError, match="--force"):
        leave_something(out)
    with partial_pack(out, REQUEST, replace=True) as (folder, _):
        (folder / "new").touch()
        assert (out / "old").exists()
    assert [p.name for p in out.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.pack"]


@pytest.mark.parametrize("name", ["a.pack", "a.pack.old", "a.pack.partial"])
def test_a_folder_that_is_no_pack_is_never_deleted(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "photo.jpg").touch()
    with pytest.raises(InputError, match=f"{name}: exists"):
        leave_something(tmp_path / "a.pack", replace=True)
    assert (tmp_path / name / "photo.jpg").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_never_replaced_by_a_pack(tmp_path):
    (tmp_path / "a.pack").touch()
    with pytest.raises(InputError, match="no map pack"):
        leave_something(tmp_path / "a.pack", replace=True)


def test_two_builds_do_not_share_a_folder(tmp_path):
    with partial_pack(tmp_path / "a.pack", REQUEST, replace=False) as (folder, _):
        (folder / "work").touch()
        with pytest.raises(InputError, match="another build"):
            leave_something(tmp_path / "a.pack")
        assert (folder / "work").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        leave_something(tmp_path / "file" / "a.pack")
