"""Structure from motion on photographs with COLMAP: features, matches, incremental mapping.

Features and matches stand in COLMAP's database in a work folder, so that a run that was
killed goes on with the next photograph or block of pairs; the mapping itself starts anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.points.ply import PointCloud
from export.points.reconstruction import Camera, Reconstruction
from onboard.errors import InputError
from onboard.whole_file import make_folder, write_whole

EXHAUSTIVE_PHOTOS = 100  # up to so many every photograph is matched with every other one
NEAREST_PHOTOS = 25  # otherwise with so many nearest by geotag
FOLLOWING_PHOTOS = 10  # and with so many that follow it by name
FEWEST_PHOTOS = 3
SEED = 1
CAMERA_MODEL = "SIMPLE_RADIAL"  # focal length, centre, one radial coefficient: one lens for all


@dataclass(frozen=True)
class Photograph:
    """A file, and where it was taken (degrees WGS84), None where that is not known."""

    path: Path
    lat_deg: float | None = None
    lon_deg: float | None = None


@dataclass(frozen=True)
class ColmapSettings:
    """picture_px: longer side that features are looked for at. threads: -1 takes all cores.
    focal_px: of the photographs as they are, held; None lets COLMAP find it, which flat ground
    seen straight down leaves open, and with it the height."""

    picture_px: int = 1000
    features: int = 4000
    threads: int = -1
    focal_px: float | None = None


Progress = Callable[[str, int, int], None]
"""Told (stage, done, of how many); of 0 when nobody knows."""


def reconstruct(
    photos: Sequence[Photograph], work: Path, settings: ColmapSettings, progress: Progress
) -> Reconstruction:
    """The largest model that the photographs give, in COLMAP's own unit and direction.

    Raises InputError: fewer than three photographs, no pair that matches, a work folder of
    other photographs or settings, a damaged database; ModuleNotFoundError without pycolmap.
    """
    import pycolmap

    if len(photos) < FEWEST_PHOTOS:
        raise InputError(
            f"{len(photos)} photographs; a reconstruction needs {FEWEST_PHOTOS} or more"
        )
    folder = photos[0].path.parent
    if any(p.path.parent != folder for p in photos):
        raise InputError("the photographs lie in several folders; put them into one")
    pycolmap.logging.minloglevel = 2  # COLMAP's errors only; progress is ours
    pycolmap.set_random_seed(SEED)
    make_folder(work)
    _claim(work / "photographs.json", photos, settings)
    database = work / "database.db"
    try:
        _extract(database, folder, photos, settings, progress)
        _match(database, work, photos, settings, progress)
        model = _map(database, folder, work / "model", len(photos), settings, progress)
    except (RuntimeError, ValueError) as e:
        raise InputError(f"{work}: COLMAP failed ({e}); remove this folder and start again") from e
    return _from_colmap(model, photos)


def pairs_to_match(photos: Sequence[Photograph]) -> list[list[int]]:
    """For each photograph the later ones it is matched with."""
    n = len(photos)
    if n <= EXHAUSTIVE_PHOTOS:
        return [list(range(i + 1, n)) for i in range(n)]
    chosen = [set(range(i + 1, min(n, i + 1 + FOLLOWING_PHOTOS))) for i in range(n)]
    known = [i for i, p in enumerate(photos) if p.lat_deg is not None and p.lon_deg is not None]
    where = np.array([(photos[i].lat_deg, photos[i].lon_deg) for i in known], np.float64)
    for i, here in zip(known, where, strict=True):
        east_scale = np.array((1.0, np.cos(np.radians(here[0]))))
        near = np.argsort((((where - here) * east_scale) ** 2).sum(1), kind="stable")
        for j in (known[k] for k in near[: NEAREST_PHOTOS + 1]):
            if j != i:
                chosen[min(i, j)].add(max(i, j))
    return [sorted(c) for c in chosen]


def _claim(path: Path, photos: Sequence[Photograph], settings: ColmapSettings) -> None:
    """The work folder belongs to these photographs, as they are, and to these settings."""
    files = [(p.path.name, p.path.stat().st_size, p.lat_deg, p.lon_deg) for p in photos]
    told = {"files": files, **asdict(settings), "threads": None}
    stamp = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    if not path.exists():
        write_whole(path, stamp)
    elif path.read_text(encoding="utf-8") != stamp:
        raise InputError(
            f"{path.parent}: holds the work on other photographs or settings; "
            "give another --out, or remove it"
        )


def _extract(
    database: Path,
    folder: Path,
    photos: Sequence[Photograph],
    settings: ColmapSettings,
    progress: Progress,
) -> None:
    import pycolmap

    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = settings.picture_px
    options.num_threads = settings.threads
    options.sift.max_num_features = settings.features
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = CAMERA_MODEL
    if settings.focal_px is not None:
        first = cv2.imread(str(photos[0].path))
        if first is None:
            raise InputError(f"{photos[0].path}: cannot be read as a picture; remove it")
        height, width = first.shape[:2]
        reader.camera_params = f"{settings.focal_px},{width / 2},{height / 2},0"
    # a run of photographs a call, so that progress shows and no kill loses more than these
    step = 4
    for start in range(0, len(photos), step):
        if start:  # all photographs share the first one's lens
            reader.existing_camera_id = 1
        pycolmap.extract_features(
            database,
            folder,
            [p.path.name for p in photos[start : start + step]],
            pycolmap.CameraMode.SINGLE,
            reader,
            options,
            pycolmap.Device.cpu,
        )
        progress("features", min(len(photos), start + step), len(photos))


def _match(
    database: Path,
    work: Path,
    photos: Sequence[Photograph],
    settings: ColmapSettings,
    progress: Progress,
) -> None:
    import pycolmap

    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = settings.threads
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(work / "pairs.txt")
    wanted = pairs_to_match(photos)
    for i, others in enumerate(wanted):
        if others:
            lines = (f"{photos[i].path.name} {photos[j].path.name}\n" for j in others)
            write_whole(work / "pairs.txt", lines)
            pycolmap.match_image_pairs(database, options, pairing, device=pycolmap.Device.cpu)
        progress("matches", i + 1, len(wanted))


def _map(
    database: Path,
    folder: Path,
    out: Path,
    photos: int,
    settings: ColmapSettings,
    progress: Progress,
) -> Any:
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = settings.threads
    options.random_seed = SEED
    options.ba_refine_focal_length = settings.focal_px is None
    options.mapper.abs_pose_refine_focal_length = settings.focal_px is None
    make_folder(out)
    done = 2  # the first pair

    def next_one() -> None:
        nonlocal done
        done += 1
        progress("mapping", min(done, photos - 1), photos)  # COLMAP may try a second model

    models = pycolmap.incremental_mapping(
        database, folder, out, options, next_image_callback=next_one
    )
    progress("mapping", photos, photos)
    if not models:
        raise InputError(
            f"{folder}: no two photographs see the same ground well enough; "
            "multi-view photographs need two thirds overlap"
        )
    return max(models.values(), key=lambda m: int(m.num_reg_images()))


def _from_colmap(model: Any, photos: Sequence[Photograph]) -> Reconstruction:
    cameras = []
    for image in model.images.values():
        if not image.has_pose:
            continue
        lens, pose = image.camera, image.cam_from_world()
        rotation: NDArray[np.float64] = pose.rotation.matrix()
        position = -rotation.T @ pose.translation
        focal, cx, cy, radial = map(float, lens.params)
        cameras.append(
            Camera(
                image.name,
                int(lens.width),
                int(lens.height),
                focal,
                (cx, cy),
                radial,
                tuple(tuple(map(float, row)) for row in rotation),
                tuple(map(float, position)),
            )
        )
    cameras.sort(key=lambda c: c.file)
    found = sorted(model.points3D.items())
    cloud = PointCloud(
        np.array([p.xyz for _, p in found], np.float64).reshape(-1, 3),
        np.array([p.color for _, p in found], np.uint8).reshape(-1, 3),
    )
    placed = {c.file for c in cameras}
    unplaced = tuple(p.path.name for p in photos if p.path.name not in placed)
    error = float(model.compute_mean_reprojection_error())
    return Reconstruction(tuple(cameras), cloud, unplaced, None, error, "COLMAP")
