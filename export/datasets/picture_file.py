"""Reads one picture of a data set; a truncated one is an error, not a picture with a gray half."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from export.datasets.retrieval_set import Size
from onboard.errors import InputError
from onboard.messages import Picture

# Above this shrink factor bilinear sampling skips pixels, and area averaging takes its place.
AREA_FROM = 2.0


def read_picture(path: Path, size: Size | None = None) -> Picture:
    """(H, W, 3) uint8 BGR, resized to `size` (height, width) if given, with no regard to its
    aspect, as the field does it: bilinear with exact pixel centres (Sample4Geo), by area where
    it shrinks more than twofold. Gray pictures get three channels, transparency is dropped.

    Raises InputError: absent, not a picture, truncated.
    """
    picture = _decoded(path)
    return picture if size is None else resized(picture, size)


def resized(picture: Picture, size: Size) -> Picture:
    """As `read_picture` does it."""
    if picture.shape[:2] == size:
        return picture
    shrink = max(picture.shape[0] / size[0], picture.shape[1] / size[1])
    how = cv2.INTER_AREA if shrink > AREA_FROM else cv2.INTER_LINEAR_EXACT
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=how), np.uint8)


def _decoded(path: Path) -> Picture:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures, damaged tags
            with Image.open(path) as image:
                rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except FileNotFoundError as e:
        raise InputError(f"{path}: this picture is missing; get the data set again") from e
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise InputError(
            f"{path}: this picture cannot be decoded ({e or type(e).__name__}); "
            "get this file of the data set again"
        ) from e
    return np.ascontiguousarray(rgb[:, :, ::-1])
