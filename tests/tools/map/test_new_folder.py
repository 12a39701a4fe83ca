"""A mistyped mount point is said, and nothing is made there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.cli import main


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["build", "a.tif", "--out", "GONE/dir/z.pack"], "--out"),
        (["build", "a.tif", "--store", "GONE/dir/cells"], "--store"),
        (["build", "a.tif", "--out", "z.pack", "--store", "file://GONE/cells"], "--store"),
        (["cut", "cells", "--area", "7,46,7.1,46.1", "--out", "GONE/z.pack"], "--out"),
    ],
)
def test_only_the_last_folder_may_be_new(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    option: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "sd"
    assert main(["map", *(word.replace("GONE", str(gone)) for word in words)]) == 2
    said = capsys.readouterr().err
    assert f"{option} " in said and f"there is no folder {gone}" in said and said.count("\n") == 1
    assert not gone.exists()


def test_a_store_on_a_network_and_folders_that_are_there_are_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["--store", "memory://new/deep/cells"],
        ["--out", "z.pack"],
        ["--store", "cells"],
    ):
        assert main(["map", "build", "none.tif", *words]) == 2
        assert "none.tif: no such file" in capsys.readouterr().err
