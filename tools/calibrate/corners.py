"""The corners of a printed board in pictures of it, and the lens that explains them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.camera import Camera
from onboard.messages import Picture

MIN_PICTURES = 8  # five unknowns of the lens, six of each view; fewer leave the lens loose
MIN_CORNERS = 12  # of a ChArUco board seen in part
CELLS = 6  # the picture is parted into 6 x 6 cells for its coverage
MIN_COVERAGE = 0.5  # of the cells that hold a corner: the distortion is known no further out
MIN_TILT_DEG = 15.0  # some board must lean this far, else focal length and distance are one
MAX_RMS_PX = 1.5  # at 1000 px of width; good sets reach 0.1 to 0.5
MAX_FOCAL_SIGMA = 0.01
SUBPIX_REACH = 5
SUBPIX_END = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Board:
    """squares: along and across, as counted on the print. charuco: marker dictionary's name
    (as 4X4_50) for a ChArUco board, '' for a plain chessboard."""

    squares: tuple[int, int]
    square_mm: float
    charuco: str = ""


@dataclass(frozen=True)
class Sight:
    """The corners of one picture. board_mm: (N, 3), picture_px: (N, 2), OpenCV's pixel centres."""

    name: str
    board_mm: Points
    picture_px: Points


@dataclass(frozen=True)
class Lens:
    """focal_sigma: 1 sigma as a share. rms_px: reprojection. coverage: share of cells with a
    corner. tilt_deg: the most that a board leaned. worst: picture with the largest error."""

    camera: Camera
    focal_sigma: float
    rms_px: float
    coverage: float
    tilt_deg: float
    worst: tuple[str, float]


def find_corners(board: Board, name: str, picture: Picture) -> Sight | None:
    """None when the board isn't seen: whole for a chessboard, MIN_CORNERS for ChArUco."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    if board.charuco:
        return _charuco_corners(board, name, grey)
    inner = (board.squares[0] - 1, board.squares[1] - 1)
    found, corners = cv2.findChessboardCornersSB(
        grey, inner, flags=cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_ACCURACY
    )
    if not found:
        found, corners = cv2.findChessboardCorners(grey, inner)
        if not found:
            return None
        reach = (SUBPIX_REACH, SUBPIX_REACH)
        corners = cv2.cornerSubPix(grey, corners, reach, (-1, -1), SUBPIX_END)
    grid = np.zeros((inner[0] * inner[1], 3), np.float32)
    grid[:, :2] = np.mgrid[: inner[0], : inner[1]].T.reshape(-1, 2) * board.square_mm
    return Sight(name, grid, np.asarray(corners, np.float32).reshape(-1, 2))


def _charuco_corners(board: Board, name: str, grey: NDArray[np.integer[Any]]) -> Sight | None:
    printed = charuco_board(board)
    corners, ids, _, _ = cv2.aruco.CharucoDetector(printed).detectBoard(grey)
    if ids is None or len(ids) < MIN_CORNERS:
        return None
    grid = np.asarray(printed.getChessboardCorners(), np.float32)[ids.ravel()]
    return Sight(name, grid, np.asarray(corners, np.float32).reshape(-1, 2))


def charuco_board(board: Board) -> cv2.aruco.CharucoBoard:
    """Markers as wide as three quarters of a square, as OpenCV's generator prints them.

    Raises ValueError for an unknown dictionary.
    """
    number = getattr(cv2.aruco, f"DICT_{board.charuco.upper()}", None)
    if not isinstance(number, int):
        raise ValueError(f"no marker dictionary '{board.charuco}'; known are 4X4_50, 5X5_100, ...")
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    return cv2.aruco.CharucoBoard(
        board.squares, board.square_mm, 0.75 * board.square_mm, dictionary
    )


def solve_lens(sights: Sequence[Sight], size_px: tuple[int, int]) -> Lens:
    """Pinhole with five distortion numbers (Zhang 2000, as OpenCV has it).

    Raises ValueError with a sentence when the set can't tell the lens.
    """
    if len(sights) < MIN_PICTURES:
        raise ValueError(
            f"the board was found in {len(sights)} pictures, {MIN_PICTURES} are needed; check "
            "--squares and take more, the whole board sharp and in view"
        )
    coverage = _coverage(sights, size_px)
    if coverage < MIN_COVERAGE:
        raise ValueError(
            f"the corners cover {coverage:.0%} of the picture, {MIN_COVERAGE:.0%} are needed; "
            "hold the board into the picture's corners and edges too"
        )
    boards, pictures = [s.board_mm for s in sights], [s.picture_px for s in sights]
    rms, matrix, distortion, turns, _, spread, _, errors = cv2.calibrateCameraExtended(
        boards, pictures, size_px, np.eye(3), np.zeros(5)
    )
    tilt_deg = max(_tilt_deg(np.asarray(turn, np.float64)) for turn in turns)
    if tilt_deg < MIN_TILT_DEG:
        raise ValueError(
            f"no board leans by more than {tilt_deg:.0f} deg, {MIN_TILT_DEG:.0f} are needed; "
            "tilt it to all sides, else focal length and distance look alike"
        )
    worst = int(np.argmax(errors))
    allowed_px = MAX_RMS_PX * max(1.0, size_px[0] / 1000)
    if not rms <= allowed_px:
        raise ValueError(
            f"the corners miss the lens by {rms:.2f} px (at most {allowed_px:.1f}), most in "
            f"{sights[worst].name}; leave blurred pictures out and keep the board flat"
        )
    focal_sigma = float(np.max(spread[:2, 0]) / matrix[0, 0])
    if not focal_sigma <= MAX_FOCAL_SIGMA:
        raise ValueError(
            f"the focal length is known to {focal_sigma:.1%} only, {MAX_FOCAL_SIGMA:.0%} is "
            "needed; take more pictures, nearer and with more tilt"
        )
    k1, k2, p1, p2, k3 = np.asarray(distortion, np.float64).ravel()[:5].tolist()
    camera = Camera(
        *size_px,
        fx=float(matrix[0, 0]),
        fy=float(matrix[1, 1]),
        cx=float(matrix[0, 2]) + 0.5,  # OpenCV counts from the first pixel's middle
        cy=float(matrix[1, 2]) + 0.5,
        distortion=(k1, k2, p1, p2, k3),
    )
    return Lens(
        camera, focal_sigma, float(rms), coverage, tilt_deg, (sights[worst].name, errors[worst, 0])
    )


def _coverage(sights: Sequence[Sight], size_px: tuple[int, int]) -> float:
    points = np.concatenate([s.picture_px for s in sights])
    cells = np.clip((points / size_px * CELLS).astype(int), 0, CELLS - 1)
    return len(np.unique(cells @ (1, CELLS))) / CELLS**2


def _tilt_deg(turn: NDArray[np.float64]) -> float:
    """Of the board against the picture plane."""
    normal = cv2.Rodrigues(turn)[0][2, 2]
    return float(np.degrees(np.arccos(min(1.0, abs(normal)))))
