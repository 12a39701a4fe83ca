"""`pilotage calibrate board`: the lens from pictures of a printed chessboard."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from maps.progress import progress_s
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.settings import load_settings
from tools.calibrate.camera_file import write_camera_file
from tools.calibrate.corners import Board, Lens, Sight, charuco_board, find_corners, solve_lens
from tools.flight_inputs import positive
from tools.photo_folder import PICTURE_SUFFIXES
from tools.photo_picture import read_picture

HELP = (
    "Finds focal length, principal point and distortion from at least eight sharp pictures of a "
    "chessboard or ChArUco board, held at all places of the picture and at all tilts. Refuses a "
    "set that can't tell them. Writes a camera file; the mounting in it is the one of --camera, "
    "or straight down."
)
MOST_SQUARES = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", type=Path, help="folder of pictures of the board")
    parser.add_argument(
        "--squares", required=True, help="squares along and across, black and white, as 9x6"
    )
    parser.add_argument("--square-mm", type=positive, required=True, help="side of one square")
    parser.add_argument("--charuco", default="", help="marker dictionary of a ChArUco, as 4X4_50")
    parser.add_argument("--camera", type=Path, help="camera file whose mounting is kept")
    parser.add_argument("--out", type=Path, default=Path("camera.toml"), help="camera file")


def run(args: argparse.Namespace) -> int:
    board = Board(parse_squares(args.squares), args.square_mm, args.charuco)
    if board.charuco:
        try:
            charuco_board(board)
        except ValueError as e:
            raise InputError(f"--charuco: {e}") from e
    mounted = load_settings(args.camera, Camera) if args.camera else None
    sights, size_px, notes = _find(args.pictures, board)
    try:
        lens = solve_lens(sights, size_px)
    except ValueError as e:
        raise InputError(f"{args.pictures}: {e}") from e
    camera = lens.camera
    if mounted:
        camera = replace(
            camera, mounting=mounted.mounting, attitude_delay_s=mounted.attitude_delay_s
        )
    said = [*notes, *_findings(lens, sights)]
    print("\n".join(said))
    write_camera_file(
        args.out,
        camera,
        [f"pilotage calibrate board: {args.pictures.resolve().name}", *said],
        {"fx": f"+-{lens.focal_sigma:.2%} (1 sigma)"},
    )
    print(f"camera file: {args.out}")
    return 0


def parse_squares(text: str) -> tuple[int, int]:
    """'9x6': squares, not corners. Raises InputError."""
    found = re.fullmatch(r"\s*([0-9]{1,3})\s*[xX]\s*([0-9]{1,3})\s*", text)
    along, across = (int(n) for n in found.groups()) if found else (0, 0)
    if not (4 <= max(along, across) <= MOST_SQUARES and min(along, across) >= 3):
        raise InputError(f"--squares '{text}': count the squares along and across, as 9x6")
    return along, across


def _find(folder: Path, board: Board) -> tuple[list[Sight], tuple[int, int], list[str]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of the board's pictures")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no pictures in it ({', '.join(PICTURE_SUFFIXES)})")
    sights: list[Sight] = []
    sizes: Counter[tuple[int, int]] = Counter()
    notes: list[str] = []
    for path in tqdm(paths, unit="picture", mininterval=progress_s()):
        try:
            picture = read_picture(path)
        except ValueError as e:
            notes.append(f"{path.name}: {e}")
            continue
        sizes[picture.shape[1], picture.shape[0]] += 1
        sight = find_corners(board, path.name, picture)
        if sight is None:
            notes.append(f"{path.name}: the board is not seen")
        else:
            sights.append(sight)
    if not sizes:
        raise InputError(f"{folder}: none of its {len(paths)} pictures opens ({notes[0]})")
    if len(sizes) > 1:
        told = ", ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.most_common())
        raise InputError(f"{folder}: pictures of several sizes ({told}); give those of one mode")
    return sights, next(iter(sizes)), notes


def _findings(lens: Lens, sights: list[Sight]) -> list[str]:
    (fx, fy), (cx, cy) = lens.camera.focal_px, lens.camera.principal_px
    name, error_px = lens.worst
    distortion = ", ".join(f"{k:+.4f}" for k in lens.camera.distortion)
    return [
        f"board found in {len(sights)} pictures; corners cover {lens.coverage:.0%} of the picture, "
        f"boards lean by up to {lens.tilt_deg:.0f} deg",
        f"reprojection error {lens.rms_px:.2f} px (RMS), worst {error_px:.2f} in {name}",
        f"fx {fx:.1f}, fy {fy:.1f} px (+-{lens.focal_sigma:.2%}); principal point {cx:.1f}, "
        f"{cy:.1f}; distortion {distortion}",
    ]
