"""A survey of rendered photographs with true poses and true points."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from rendered_ground import camera, height_at, photograph_of

from export.points.ply import PointCloud
from export.points.reconstruction import Origin, Reconstruction


@dataclass(frozen=True)
class RenderedSurvey:
    photographs: Path
    truth: Reconstruction


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> RenderedSurvey:
    folder = tmp_path_factory.mktemp("rendered") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(2)
    cameras = [
        camera(f"{i:02}.png", x, float(rng.uniform(-1, 1)), 30.0, float(rng.uniform(-0.2, 0.2)))
        for i, x in enumerate(np.arange(-16.0, 17.0, 4.0).tolist())
    ]
    for cam in cameras:
        cv2.imwrite(str(folder / cam.file), photograph_of(cam))
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-30, 30, 0.3), np.arange(-12, 12, 0.3)))
    xyz = np.stack((x, y, height_at(x, y)), 1)
    truth = Reconstruction(tuple(cameras), PointCloud(xyz), (), Origin(47.0, 8.0), 0.5, "rendered")
    return RenderedSurvey(folder, truth)
