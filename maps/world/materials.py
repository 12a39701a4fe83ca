"""What the ground is made of, and its colours through the year.

Colours are display values, RGB 0..255, as overhead pictures show them under a high sun.
"""

from __future__ import annotations

from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]


class Material(IntEnum):
    GRASS = 0
    CROP = 1
    SOIL = 2
    FOREST_FLOOR = 3
    ASPHALT = 4
    CONCRETE = 5
    GRAVEL = 6
    WATER = 7
    ROOF = 8
    FLAT_ROOF = 9
    POOL = 10
    SCRUB = 11
    PITCH = 12


class Season(str, Enum):
    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"
    DRY = "dry"


class Crop(IntEnum):
    """What stands on a field when the picture is taken."""

    LUSH = 0
    YOUNG = 1
    RIPE = 2
    STUBBLE = 3
    PLOUGHED = 4
    FLOWERING = 5
    MOWN = 6


CROP_SHARE: dict[Season, tuple[float, ...]] = {
    Season.SPRING: (0.30, 0.28, 0.00, 0.05, 0.22, 0.08, 0.07),
    Season.SUMMER: (0.32, 0.06, 0.26, 0.16, 0.08, 0.01, 0.11),
    Season.AUTUMN: (0.12, 0.14, 0.06, 0.28, 0.30, 0.00, 0.10),
    Season.WINTER: (0.08, 0.26, 0.00, 0.20, 0.40, 0.00, 0.06),
    Season.DRY: (0.06, 0.06, 0.28, 0.30, 0.26, 0.00, 0.04),
}
CROP_RGB: dict[Crop, tuple[RGB, ...]] = {
    Crop.LUSH: ((66, 92, 42), (82, 108, 52), (58, 82, 48), (96, 118, 60)),
    Crop.YOUNG: ((104, 118, 66), (116, 122, 76), (98, 108, 62)),
    Crop.RIPE: ((190, 168, 108), (176, 156, 96), (160, 146, 92), (202, 182, 128)),
    Crop.STUBBLE: ((168, 152, 116), (150, 134, 100), (182, 168, 132)),
    Crop.PLOUGHED: ((0, 0, 0),),
    Crop.FLOWERING: ((188, 182, 62), (170, 168, 70), (150, 130, 150)),
    Crop.MOWN: ((128, 134, 80), (140, 140, 88), (116, 126, 70)),
}
SOIL_RGB: tuple[RGB, ...] = (
    (112, 88, 66),
    (150, 130, 104),
    (146, 98, 68),
    (80, 68, 58),
    (176, 158, 130),
)
GRASS_RGB: dict[Season, tuple[RGB, RGB]] = {
    Season.SPRING: ((92, 116, 54), (118, 132, 72)),
    Season.SUMMER: ((84, 104, 54), (124, 124, 74)),
    Season.AUTUMN: ((104, 108, 64), (132, 122, 78)),
    Season.WINTER: ((100, 98, 68), (126, 114, 84)),
    Season.DRY: ((150, 134, 94), (172, 154, 114)),
}
LEAF_RGB: dict[Season, tuple[RGB, ...]] = {
    Season.SPRING: ((84, 108, 50), (98, 118, 60), (72, 96, 46)),
    Season.SUMMER: ((50, 74, 38), (60, 84, 42), (44, 64, 36), (70, 90, 50)),
    Season.AUTUMN: ((136, 104, 48), (118, 72, 40), (92, 94, 46), (150, 124, 58)),
    Season.WINTER: ((104, 94, 82), (92, 84, 74), (112, 100, 84)),
    Season.DRY: ((82, 86, 54), (96, 94, 62), (70, 78, 48)),
}
NEEDLE_RGB: tuple[RGB, ...] = ((36, 54, 38), (44, 62, 42), (32, 48, 36), (50, 66, 46))
FLOOR_RGB: dict[Season, RGB] = {
    Season.SPRING: (86, 90, 56),
    Season.SUMMER: (62, 72, 44),
    Season.AUTUMN: (112, 90, 60),
    Season.WINTER: (112, 98, 80),
    Season.DRY: (130, 112, 82),
}
ROOF_RGB: tuple[RGB, ...] = (
    (156, 88, 66),
    (138, 76, 60),
    (170, 104, 80),
    (76, 76, 80),
    (92, 88, 86),
    (108, 86, 72),
    (120, 112, 104),
    (184, 184, 182),
    (84, 108, 142),
    (104, 122, 104),
)
FLAT_ROOF_RGB: tuple[RGB, ...] = (
    (152, 150, 146),
    (122, 120, 118),
    (192, 190, 186),
    (222, 222, 220),
    (96, 94, 94),
    (164, 152, 138),
)
WATER_RGB: tuple[RGB, ...] = ((42, 58, 58), (58, 68, 50), (62, 86, 104), (96, 92, 68), (30, 40, 44))
CAR_RGB: tuple[RGB, ...] = (
    (208, 208, 208),
    (40, 40, 44),
    (120, 122, 126),
    (180, 182, 186),
    (130, 34, 32),
    (42, 62, 110),
    (206, 206, 200),
    (70, 72, 76),
)

# Strength of coarse mottling (5-60 m), fine mottling (1-5 m) and grain (a pixel) per material.
MOTTLE: dict[Material, tuple[float, float, float]] = {
    Material.GRASS: (0.05, 0.055, 0.10),
    Material.CROP: (0.04, 0.035, 0.065),
    Material.SOIL: (0.06, 0.06, 0.06),
    Material.FOREST_FLOOR: (0.05, 0.16, 0.10),
    Material.ASPHALT: (0.03, 0.025, 0.04),
    Material.CONCRETE: (0.02, 0.03, 0.05),
    Material.GRAVEL: (0.05, 0.06, 0.06),
    Material.WATER: (0.05, 0.02, 0.02),
    Material.ROOF: (0.0, 0.012, 0.06),
    Material.FLAT_ROOF: (0.0, 0.018, 0.05),
    Material.POOL: (0.0, 0.05, 0.02),
    Material.SCRUB: (0.06, 0.11, 0.10),
    Material.PITCH: (0.03, 0.03, 0.04),
}


def bgr(colour: RGB) -> NDArray[np.float32]:
    return np.array(colour[::-1], np.float32)
