import cv2
import numpy as np
import pytest

from onboard.camera import Camera
from onboard.settings import load_settings
from tests.tools.calibrate.board_pictures import SQUARE_MM, write_set
from tools.calibrate.corners import Board
from tools.cli import main

LENS = Camera(
    960, 720, fx=800.0, fy=806.0, cx=490.0, cy=352.0, distortion=(-0.18, 0.05, 0.001, -0.002, 0.0)
)
CHESS = Board((10, 7), SQUARE_MM)
CHARUCO = Board((10, 7), SQUARE_MM, "4X4_50")


def calibrate(folder, out, *more, squares="10x7"):
    arguments = [str(folder), "--squares", squares, "--square-mm", str(SQUARE_MM)]
    return main(["calibrate", "board", *arguments, "--out", str(out), *more])


def largest_miss_px(found, true):
    """Between where both lenses show the same rays, all over the picture."""
    grid = np.mgrid[-0.5:0.55:0.1, -0.38:0.4:0.1].reshape(2, -1).T
    rays = np.column_stack([grid, np.ones(len(grid))])
    seen = [
        cv2.projectPoints(rays, np.zeros(3), np.zeros(3), c.matrix, np.array(c.distortion))[0]
        for c in (found, true)
    ]
    return float(np.linalg.norm(seen[0] - seen[1], axis=-1).max())


@pytest.mark.parametrize("board", [CHESS, CHARUCO], ids=["chessboard", "charuco"])
def test_the_lens_is_found(tmp_path, capsys, board):
    folder = write_set(tmp_path / "board", board, LENS)
    out = tmp_path / "camera.toml"
    more = ("--charuco", board.charuco) if board.charuco else ()
    assert calibrate(folder, out, *more) == 0
    found = load_settings(out, Camera)
    assert found.focal_px == pytest.approx(LENS.focal_px, rel=0.004)
    assert found.principal_px == pytest.approx(LENS.principal_px, abs=3.0)
    assert largest_miss_px(found, LENS) < 3.0  # a shifted principal point is mostly a turn
    said = capsys.readouterr().out
    assert "reprojection error 0." in said
    assert "cover" in said


def test_the_mounting_of_the_camera_file_is_kept(tmp_path):
    folder = write_set(tmp_path / "board", CHESS, LENS)
    given = tmp_path / "given.toml"
    given.write_text(
        "width_px = 960\nheight_px = 720\nfx = 1.0\nattitude_delay_s = 0.1\n"
        "[mounting]\npitch_deg = -60.0\nyaw_deg = 4.0\n"
    )
    assert calibrate(folder, tmp_path / "out.toml", "--camera", str(given)) == 0
    found = load_settings(tmp_path / "out.toml", Camera)
    assert (found.mounting.pitch_deg, found.mounting.yaw_deg) == (-60.0, 4.0)
    assert found.attitude_delay_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("how", "squares", "says"),
    [
        ({"count": 5}, "10x7", "found in 5 pictures, 8 are needed"),
        ({"count": 1}, "12x9", "found in 0 pictures"),
        ({"lean": 0.03, "count": 9}, "10x7", "are needed; tilt it to all sides"),
        (
            {"reach": 0.0, "lean": 0.3, "count": 9},
            "10x7",
            "hold the board into the picture's corners",
        ),
        ({"count": 1}, "9", "--squares '9': count the squares"),
        ({"count": 1}, "0x0", "--squares '0x0': count the squares"),
    ],
)
def test_a_set_that_cannot_tell_is_one_sentence(tmp_path, capsys, how, squares, says):
    folder = write_set(tmp_path / "board", CHESS, LENS, **how)
    assert calibrate(folder, tmp_path / "out.toml", squares=squares) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out.toml").exists()


def test_wrong_inputs_are_one_sentence(tmp_path, capsys):
    assert calibrate(tmp_path / "none", tmp_path / "out.toml") == 2
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert calibrate(tmp_path / "empty", tmp_path / "out.toml") == 2
    assert "no pictures in it" in capsys.readouterr().err
    (tmp_path / "empty" / "a.jpg").write_bytes(b"garbage")
    assert calibrate(tmp_path / "empty", tmp_path / "out.toml") == 2
    assert "none of its 1 pictures opens" in capsys.readouterr().err
    assert calibrate(tmp_path / "empty", tmp_path / "out.toml", "--charuco", "9X9") == 2
    assert "no marker dictionary '9X9'" in capsys.readouterr().err
