"""The procedural world as training scenes: one landscape, seen in several epochs."""

from __future__ import annotations

import numpy as np

from export.overhead.pair_settings import World
from export.overhead.scenes import Scene, make_scene
from maps.world.epoch import random_epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho

EPOCHS = 3
MAX_LEAN = 0.35  # metres of lean per metre of height: a satellite 20 deg off nadir


def world_scene(seed: int, world: World) -> Scene:
    """Builds and renders landscape `seed`; the same seed gives the same scene."""
    rng = np.random.default_rng(seed)
    landscape = Landscape(seed, world.size_m)
    side = int(world.size_m / world.ground_size_m)
    pictures = []
    for _ in range(EPOCHS):
        lean = rng.uniform(-MAX_LEAN, MAX_LEAN, 2)
        picture, _ = render_ortho(
            landscape,
            random_epoch(rng),
            world.size_m / 2,
            world.size_m / 2,
            side,
            side,
            world.ground_size_m,
            lean=(float(lean[0]), float(lean[1])),
        )
        pictures.append(np.maximum(picture, 1))
    return make_scene(f"world/{seed}", world.ground_size_m, pictures)
