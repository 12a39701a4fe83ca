"""`pilotage pointcloud`: multi-view photographs into cameras and a point cloud."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.points.colmap import Photograph

HELP = (
    "Reconstructs the ground from overlapping photographs: points.ply and cameras.json, in metres "
    "east, north, up where the photographs have positions. By VGGT where it is installed and a "
    "GPU is there, otherwise by COLMAP. A run that was stopped goes on with the same command."
)
METHODS = ("auto", "vggt", "colmap")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, help="folder of the photographs of one camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for the reconstruction")
    parser.add_argument("--poses", type=Path, help="CSV with their positions, if they tell none")
    parser.add_argument(
        "--ignore-positions", action="store_true", help="leave scale and heading arbitrary"
    )
    parser.add_argument("--by", choices=METHODS, default="auto", help="default: auto")
    parser.add_argument("--sparse", action="store_true", help="COLMAP's corners only, no stereo")
    parser.add_argument(
        "--picture-px", type=int, default=1000, help="longer side for features (default 1000)"
    )
    parser.add_argument(
        "--features", type=int, default=4000, help="at most, of a photograph (default 4000)"
    )
    parser.add_argument(
        "--focal-px",
        type=float,
        help="focal length of the photographs, held (default: found; give it for flat ground "
        "seen straight down only, which leaves it open and with it the flight height)",
    )
    parser.add_argument("--threads", type=int, default=-1, help="default: all cores")


def run(args: argparse.Namespace) -> int:
    import dataclasses
    import time

    from export.points.colmap import ColmapSettings, reconstruct
    from export.points.dense_stereo import dense_cloud
    from export.points.georeference import FEWEST_GEOTAGS, georeference, upright
    from export.points.reconstruction import CAMERAS_FILE, load_reconstruction, save_reconstruction
    from export.points.vggt import reconstruct_by_vggt, why_not
    from onboard.errors import InputError

    if args.picture_px < 200 or args.features < 100:
        raise InputError("--picture-px must be at least 200, and --features 100")
    if args.focal_px is not None and not 10 < args.focal_px < 1e6:
        raise InputError(f"--focal-px {args.focal_px}: no camera has that focal length in pixels")
    started = time.monotonic()
    photos = _photographs(args.photos, args.poses)
    if (args.out / CAMERAS_FILE).exists():
        print(f"{args.out}: there already; remove {CAMERAS_FILE} to make it again")
        return 0
    by_vggt = args.by == "vggt" or (args.by == "auto" and why_not() is None)
    placed = args.out / "work" / ("vggt" if by_vggt else "colmap")
    if (placed / CAMERAS_FILE).exists():
        made = load_reconstruction(placed)
    elif by_vggt:
        made = reconstruct_by_vggt(photos, _progress)
        save_reconstruction(made, placed)
    else:
        settings = ColmapSettings(args.picture_px, args.features, args.threads, args.focal_px)
        made = reconstruct(photos, args.out / "work", settings, _progress)
        save_reconstruction(made, placed)
    print(
        f"{len(made.cameras)} of {len(photos)} photographs placed, {len(made.points.xyz)} points, "
        f"reprojection error {made.reprojection_px:.2f} px ({made.made_by})"
    )
    geotags = {
        p.path.name: (p.lat_deg, p.lon_deg)
        for p in photos
        if p.lat_deg is not None and p.lon_deg is not None and not args.ignore_positions
    }
    if len(geotags) >= FEWEST_GEOTAGS:
        made, agreement = georeference(made, geotags)
        print(
            f"metres by {agreement.geotags} geotags, which lie {agreement.scatter_m:.1f} m "
            "(median) from where the reconstruction has their photographs"
        )
    else:
        made = upright(made)
        print("no positions: up is up, but scale and heading are arbitrary")
    if not by_vggt and not args.sparse:
        folder = photos[0].path.parent
        made = dataclasses.replace(made, points=dense_cloud(made, folder, _progress))
        print(f"{len(made.points.xyz)} points by stereo")
    save_reconstruction(made, args.out)
    print(f"{args.out}: written after {time.monotonic() - started:.0f} s")
    return 0


def _photographs(folder: Path, poses: Path | None) -> list[Photograph]:
    """The photographs by name, each with its own position or the table's, which goes first.

    Raises InputError: no such folder, none in it, one that is no picture, several sizes.
    """
    from export.points.colmap import Photograph
    from onboard.errors import InputError
    from tools.photo_folder import INNER_FOLDERS, PICTURE_SUFFIXES
    from tools.photo_tags import read_photo_tags
    from tools.pose_csv import photo_key, read_poses

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of the photographs")
    where = next((folder / n for n in INNER_FOLDERS if (folder / n).is_dir()), folder)
    table = read_poses(poses) if poses else {}
    photos, sizes = list[Photograph](), dict[tuple[int, int], str]()
    for path in sorted(p for p in where.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES):
        try:
            tags = read_photo_tags(path)
        except ValueError as e:
            raise InputError(f"{path}: {e}; remove it from the folder") from e
        sizes.setdefault((tags.width_px, tags.height_px), path.name)
        row = table.get(photo_key(path.name))
        known = row if row is not None and row.lat_deg is not None else tags
        photos.append(Photograph(path, known.lat_deg, known.lon_deg))
    if not photos:
        raise InputError(
            f"{where}: no photographs in it ({', '.join(PICTURE_SUFFIXES)}); give their folder"
        )
    if len(sizes) > 1:
        told = ", ".join(f"{name} has {w}x{h}" for (w, h), name in sizes.items())
        raise InputError(f"{where}: photographs of several sizes ({told}); give one camera's")
    if poses and not any(photo_key(p.path.name) in table for p in photos):
        raise InputError(f"{poses}: names none of the photographs in {where}; give their table")
    return photos


def _progress(stage: str, done: int, of: int) -> None:
    print(f"\r{stage} {done}/{of} ", end="\n" if done >= of else "", flush=True)
