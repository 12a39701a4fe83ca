"""DenseUAV in miniature and a network of a thousand weights that learns it in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from export.networks.registry import NetworkEntry
from export.training.run_settings import Run
from export.training.tasks.retrieval_dataset import RetrievalDatasetSettings

PLACES = 6


def write_dense(root: Path) -> Path:
    """DenseUAV's layout: each place has its own colours, three drone and two satellite pictures."""
    rng = np.random.default_rng(4)
    lines = []
    for place in range(PLACES):
        ground = rng.integers(20, 235, (4, 4, 3), np.uint8)
        for part in (
            "train/drone",
            "train/satellite",
            "test/query_drone",
            "test/gallery_satellite",
        ):
            folder = root / part / f"{place:06d}"
            folder.mkdir(parents=True)
            for n in range(3 if "drone" in part else 2):
                noise = rng.integers(-8, 9, (32, 32, 3))
                picture = cv2.resize(ground, (32, 32)).astype(int) + noise
                cv2.imwrite(str(folder / f"H{80 + 10 * n}.png"), np.clip(picture, 0, 255))
        lines.append(f"train/drone/{place:06d}/H80.png E120.{place} N30.0 80.0")
    (root / "Dense_GPS_ALL.txt").write_text("\n".join(lines))
    return root


class Tiny(torch.nn.Module):
    """Two strided convolutions and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 4, 4), torch.nn.ReLU(), torch.nn.Conv2d(16, 24, 4, 4)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(self.layers(pictures).flatten(1), dim=1)


def tiny(input_px: int, checkpointing: bool = False) -> Tiny:
    return Tiny()


ENTRY = NetworkEntry("tiny", f"{__name__}:tiny", 32, 96, "for this test")


def settings_for(root: Path, steps: int = 12, **changes: Any) -> RetrievalDatasetSettings:
    run = Run(steps, seed=3, warm_up_steps=1, averaging=0.0, checkpoint_every_steps=5,
              validate_every_steps=steps)  # fmt: skip
    values: dict[str, Any] = {"batch_pairs": 4, "readers": 0, "learning_rate": 3e-3} | changes
    return RetrievalDatasetSettings("tiny", "denseuav", root, run, **values)
