"""Decodes one photograph; a truncated one is an error, not a picture with a gray half."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from onboard.camera import MAX_SIDE_PX
from onboard.messages import Picture

# Above this a JPEG is halved while it is decoded (a 50-megapixel picture would take 150 MB):
# 12 megapixels resolve the ground five times finer than a map at any height that fills a view.
MAX_DECODED_PX = 16_000_000


def read_picture(path: Path) -> Picture:
    """(H, W, 3) uint8 BGR, as the sensor read it (no turning by the orientation tag).

    Raises ValueError with a short reason: not a picture, truncated, absurdly large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures, damaged tags
            with Image.open(path) as image:
                if max(image.size) > MAX_SIDE_PX:
                    raise ValueError(f"{image.width}x{image.height} is no camera's picture")
                halvings = 0
                while (image.width >> halvings) * (image.height >> halvings) > MAX_DECODED_PX:
                    halvings += 1
                if halvings:
                    image.draft("RGB", (image.width >> halvings, image.height >> halvings))
                rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except Image.DecompressionBombError as e:
        raise ValueError("more pixels than any camera has") from e
    except MemoryError as e:
        raise ValueError("too large for the memory of this machine") from e
    except (OSError, SyntaxError, ValueError) as e:
        raise ValueError(f"cannot be decoded ({str(e) or type(e).__name__})") from e
    return np.ascontiguousarray(rgb[:, :, ::-1])
