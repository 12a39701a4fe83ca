"""Cameras and points by VGGT, a network that sees all photographs at once (Wang et al. 2025).

GeoLink's point clouds come from it. It is the user's own installation with its own licence and
weights; it needs a GPU (11 GB of memory for 50 photographs, 21 GB for 100). Points are depth
maps un-projected through the predicted cameras, which its authors found better than its point
head.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.points.colmap import Photograph, Progress
from export.points.cubes import cube_numbers
from export.points.ply import PointCloud
from export.points.reconstruction import Camera, Reconstruction
from onboard.errors import InputError

WEIGHTS = "facebook/VGGT-1B"
LONGER_SIDE_PX = 518  # what it was trained at
PATCH_PX = 14
KEPT_SHARE = 0.5  # of the points, the more confident ones (its demonstration's default)
CUBE = 0.005  # of the median depth: one point is kept in each cube of that side


def why_not() -> str | None:
    """What is missing for VGGT on this machine, or None."""
    import torch

    if importlib.util.find_spec("vggt") is None:
        return "VGGT is not installed"
    return None if torch.cuda.is_available() else "VGGT needs a GPU, and PyTorch finds none"


def reconstruct_by_vggt(photos: Sequence[Photograph], progress: Progress) -> Reconstruction:
    """In VGGT's own unit and direction.

    Raises InputError: not installed, no GPU, no weights, too little memory on the GPU, a
    photograph that cannot be read or of another size than the first.
    """
    problem = why_not()
    if problem is not None:
        raise InputError(f"{problem}; use --by colmap, or install it with a GPU at hand")
    import torch
    from vggt.models.vggt import VGGT
    from vggt.utils.pose_enc import pose_encoding_to_extri_intri

    pictures, full = _pictures(photos)
    try:
        model = VGGT.from_pretrained(WEIGHTS, local_files_only=True).to("cuda").eval()
    except (OSError, ValueError) as e:
        raise InputError(
            f"VGGT's weights ({WEIGHTS}) are not on this machine ({e}); fetch them as its README "
            "says, having read their licence, or use --by colmap"
        ) from e
    progress("VGGT", 0, len(photos))
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(255).to("cuda")[None]
    try:
        with torch.no_grad():
            with torch.autocast("cuda", torch.bfloat16):
                tokens, start = model.aggregator(batch)
            poses = model.camera_head(tokens)[-1]
            outer, inner = pose_encoding_to_extri_intri(poses, batch.shape[-2:])
            depth, confidence = model.depth_head(tokens, batch, start)
    except torch.cuda.OutOfMemoryError as e:
        raise InputError(
            f"{len(photos)} photographs are too many for this GPU's memory; "
            "give fewer, or use --by colmap"
        ) from e
    progress("VGGT", len(photos), len(photos))

    def plain(x: Any) -> NDArray[np.float64]:
        return np.asarray(x[0].float().cpu().numpy(), np.float64)

    return assembled(
        photos,
        pictures,
        full,
        plain(outer),
        plain(inner),
        plain(depth)[..., 0],
        plain(confidence),
    )


def assembled(
    photos: Sequence[Photograph],
    pictures: NDArray[np.uint8],
    full_px: tuple[int, int],
    outer: NDArray[np.float64],
    inner: NDArray[np.float64],
    depth: NDArray[np.float64],
    confidence: NDArray[np.float64],
) -> Reconstruction:
    """Predictions into cameras of the full photographs (width, height) and one thinned cloud.

    pictures: (N,h,w,3) RGB; outer: (N,3,4) world to camera; inner: (N,3,3), pixels of the small
    pictures; depth, confidence: (N,h,w).
    """
    n, h, w = depth.shape
    v, u = np.mgrid[0:h, 0:w] + 0.5
    cameras, clouds = [], []
    for i in range(n):
        rotation, position = outer[i, :, :3], -outer[i, :, :3].T @ outer[i, :, 3]
        fx, fy, cx, cy = inner[i][[0, 1, 0, 1], [0, 1, 2, 2]]
        seen = np.stack(((u - cx) / fx, (v - cy) / fy, np.ones((h, w))), -1) * depth[i, ..., None]
        clouds.append((seen @ rotation + position).reshape(-1, 3))
        up = full_px[0] / w, full_px[1] / h
        cameras.append(
            Camera(
                photos[i].path.name,
                *full_px,
                math.sqrt(float(fx * up[0] * fy * up[1])),
                (float(cx * up[0]), float(cy * up[1])),
                0.0,
                tuple(tuple(map(float, row)) for row in rotation),
                tuple(map(float, position)),
            )
        )
    sure = np.flatnonzero(confidence.ravel() >= np.quantile(confidence, 1 - KEPT_SHARE))
    sure = sure[np.argsort(-confidence.ravel()[sure], kind="stable")]  # a cube's surest point
    xyz, rgb = np.concatenate(clouds)[sure], pictures.reshape(-1, 3)[sure]
    _, first = np.unique(cube_numbers(xyz, CUBE * float(np.median(depth))), return_index=True)
    cloud = PointCloud(xyz[first], np.ascontiguousarray(rgb[first]))
    return Reconstruction(tuple(cameras), cloud, made_by="VGGT")


def _pictures(photos: Sequence[Photograph]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """(N,h,w,3) RGB, the longer side 518 and both sides multiples of 14; the full size."""
    small = list[NDArray[np.uint8]]()
    full = (0, 0)
    for photo in photos:
        picture = cv2.imread(str(photo.path))
        if picture is None:
            raise InputError(f"{photo.path}: cannot be read as a picture; remove it")
        size = (picture.shape[1], picture.shape[0])
        full = full if small else size
        if size != full:
            raise InputError(f"{photo.path}: {size} px, the first has {full}; give one camera's")
        scale = LONGER_SIDE_PX / max(size)
        w, h = (max(1, round(s * scale / PATCH_PX)) * PATCH_PX for s in size)
        shrunk = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
        small.append(np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_BGR2RGB), np.uint8))
    return np.stack(small), full
