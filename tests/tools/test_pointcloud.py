import shutil

import cv2
import numpy as np
import pytest

from tools.cli import main


def picture(path, width=64, height=48):
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


@pytest.mark.parametrize(
    ("prepare", "options", "says"),
    [
        (lambda f: shutil.rmtree(f), [], "no such folder"),
        (lambda f: None, [], "no photographs in it"),
        (lambda f: (picture(f / "a.jpg"), picture(f / "b.jpg", 32)), [], "several sizes"),
        (lambda f: (f / "a.jpg").write_bytes(b"no"), [], "not a picture that can be read"),
        (lambda f: picture(f / "a.jpg"), ["--features", "1"], "--features 100"),
        (lambda f: picture(f / "a.jpg"), ["--by", "vggt"], "use --by colmap"),
    ],
)
def test_unfit_input_gets_one_sentence(tmp_path, capsys, prepare, options, says):
    folder = tmp_path / "photos"
    folder.mkdir()
    prepare(folder)
    assert main(["pointcloud", str(folder), "--out", str(tmp_path / "out"), *options]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1


def test_a_table_of_other_photographs_is_refused(tmp_path, capsys):
    picture(tmp_path / "a.jpg")
    (tmp_path / "poses.csv").write_text("file,lat,lon\nother.jpg,47,8\n")
    poses = ["--poses", str(tmp_path / "poses.csv")]
    assert main(["pointcloud", str(tmp_path), "--out", str(tmp_path / "o"), *poses]) == 2
    assert "names none of the photographs" in capsys.readouterr().err
