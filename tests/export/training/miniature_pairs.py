"""Settings of a training of a few steps on pictures of blurred noise, made where asked."""

from pathlib import Path

import cv2
import numpy as np

from export.overhead.pair_settings import HeldOutGround, Pairs
from export.overhead.scenes import Source, SourceKind


def miniature_pairs(folder: Path, picture_px: int = 64) -> tuple[Pairs, HeldOutGround]:
    """Two pictures of 640 px in folder/set, and the ground they show as held-out ground, too."""
    (folder / "set").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        ground = rng.integers(20, 235, (80, 80, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "set" / f"{i}.jpg"), cv2.resize(ground, (640, 640)))
    source = Source("set", SourceKind.PHOTOGRAPHS, "set", 1.0, "CC0", 0.25)
    pairs = Pairs(folder, (source,), batch_pairs=2, picture_px=picture_px)
    return pairs, HeldOutGround(source, queries=2, ground_size_m=0.25)
