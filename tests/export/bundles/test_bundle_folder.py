"""A bundle's folder after kills and failures: the old one, or the new one, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.bundles.bundle_folder import new_bundle, write_info
from onboard.errors import InputError

KILLED = """
import os, signal, sys
from pathlib import Path
from export.bundles import bundle_folder
if sys.argv[2] == "replacing":
    rename = Path.rename
    def die_after_setting_aside(path, target):
        rename(path, target)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = die_after_setting_aside
with bundle_folder.new_bundle(Path(sys.argv[1])) as work:
    (work / "model.onnx").write_bytes(b"half")
    bundle_folder.write_info(work, {"id": "new"})
    if sys.argv[2] == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def write(out, text):
    with new_bundle(out) as work:
        (work / "model.onnx").write_text(text)
        write_info(work, {"id": text})


def killed_while(moment, out):
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", KILLED, out, moment], cwd=root, check=False)
    assert run.returncode == -9


@pytest.fixture
def out(tmp_path):
    write(tmp_path / "bundle", "old")
    return tmp_path / "bundle"


def test_a_kill_while_writing_leaves_the_old_one_and_the_next_run_clears_up(out):
    killed_while("writing", out)
    assert (out / "model.onnx").read_text() == "old"
    write(out, "newer")
    assert (out / "model.onnx").read_text() == "newer"
    assert [p.name for p in out.parent.iterdir()] == ["bundle"]


def test_a_kill_while_replacing_loses_nothing(out):
    killed_while("replacing", out)
    with pytest.raises(RuntimeError), new_bundle(out):
        raise RuntimeError("the export failed")
    assert (out / "model.onnx").read_text() == "old"
    assert [p.name for p in out.parent.iterdir()] == ["bundle"]


def test_what_another_process_is_writing_is_left_alone(out):
    running = out.with_name(f".bundle.{os.getppid()}.new")
    running.mkdir()
    write(out, "newer")
    assert running.is_dir()


def test_the_folder_may_be_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(Path(), "new")
    assert (tmp_path / "here" / "model.onnx").read_text() == "new"


@pytest.mark.parametrize("letters", ["file", "folder"])
def test_what_is_no_bundle_stays(tmp_path, letters):
    path = tmp_path / "letters"
    if letters == "file":
        path.write_text("dear")
    else:
        path.mkdir()
        (path / "dear").touch()
    with pytest.raises(InputError, match="is no model bundle"):
        write(path, "new")
    assert path.is_file() or (path / "dear").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"n{300}.*choose another"):
        write(tmp_path / ("n" * 300), "new")
