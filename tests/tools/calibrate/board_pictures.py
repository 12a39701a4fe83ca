"""Pictures of a printed board through a known lens."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from onboard.messages import Picture
from tools.calibrate.corners import Board, charuco_board

SQUARE_MM = 30.0
PX_PER_MM = 4.0
MARGIN_MM = 40.0


def printed(board: Board) -> Picture:
    """The board on white paper, PX_PER_MM, with a margin."""
    along, across = board.squares
    side = round(board.square_mm * PX_PER_MM)
    if board.charuco:
        size = (along * side, across * side)
        sheet = charuco_board(board).generateImage(size, marginSize=0)
    else:
        y, x = np.mgrid[: across * side, : along * side] // side
        sheet = np.where((x + y) % 2 == 0, 0, 255).astype(np.uint8)
    margin = round(MARGIN_MM * PX_PER_MM)
    return cv2.copyMakeBorder(sheet, *[margin] * 4, cv2.BORDER_CONSTANT, value=255)


def photograph(board: Board, camera, turn, at_mm) -> Picture:
    """turn: rotation vector from board to optical axes; at_mm: the board's centre there."""
    sheet = printed(board)
    rotation, _ = cv2.Rodrigues(np.asarray(turn, float))
    centre = np.array([board.squares[0], board.squares[1], 0.0]) / 2 * board.square_mm
    shift = np.asarray(at_mm, float) - rotation @ centre
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)[:, None]
    rays = cv2.undistortPoints(pixels, camera.matrix, np.array(camera.distortion))[:, 0]
    rays = np.column_stack([rays, np.ones(len(rays))])
    normal = rotation[:, 2]
    depth = (normal @ shift) / (rays @ normal)
    board_mm = (rays * depth[:, None] - shift) @ rotation
    sheet_px = (board_mm[:, :2] + MARGIN_MM) * PX_PER_MM - 0.5
    maps = sheet_px.astype(np.float32).reshape(camera.height_px, camera.width_px, 2)
    seen = cv2.remap(sheet, maps, None, cv2.INTER_AREA, borderValue=120)
    noise = np.random.default_rng(3).normal(0, 2.0, seen.shape)
    grey = np.clip(cv2.GaussianBlur(seen, (0, 0), 0.7) + noise, 0, 255).astype(np.uint8)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)


def write_set(folder: Path, board: Board, camera, *, lean=0.5, reach=1.0, count=14) -> Path:
    """Boards all over the picture, leaning by up to `lean` rad."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    for i in range(count):
        turn = rng.uniform(-lean, lean, 3)
        right, down = (i % 3 - 1) * 150.0 * reach, (i // 3 % 3 - 1) * 100.0 * reach
        at = (right, down, rng.uniform(520.0, 640.0))
        cv2.imwrite(str(folder / f"board_{i:02d}.png"), photograph(board, camera, turn, at))
    return folder
