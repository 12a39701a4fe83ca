"""What each parcel and each kind of tree looks like at one epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.materials import (
    CROP_RGB,
    CROP_SHARE,
    FLAT_ROOF_RGB,
    FLOOR_RGB,
    GRASS_RGB,
    LEAF_RGB,
    MOTTLE,
    NEEDLE_RGB,
    RGB,
    ROOF_RGB,
    SOIL_RGB,
    Crop,
    Material,
    Season,
    bgr,
)
from maps.world.noise import FloatLayer
from maps.world.vegetation import TONES

LEAFLESS_COVER = 0.45  # share of the ground that bare branches hide
MERGED_SHARE = 0.12  # fields that are worked together with the one beside them


@dataclass(frozen=True)
class ColourTables:
    """Rows are parcels. colour, bare: (N, 3) BGR of what grows and of what shows through.

    patch: how much shows through. row_contrast, row_period_m, track_contrast: crop rows and
    wheel tracks. mottle: (N, 3) strength of coarse, fine, grain. water: bool. gone: bool,
    buildings that do not stand. Rows of the crown tables are kinds of tree, 0 for none.
    """

    colour: FloatLayer
    bare: FloatLayer
    patch: FloatLayer
    row_contrast: FloatLayer
    row_period_m: FloatLayer
    track_contrast: FloatLayer
    mottle: FloatLayer
    heading: FloatLayer
    gone: NDArray[np.bool_]
    crown_colour: FloatLayer
    crown_cover: FloatLayer


def colour_tables(landscape: Landscape, epoch: Epoch) -> ColourTables:
    canvas = landscape.canvas
    n = len(canvas.material)
    material = np.array(canvas.material)
    lasting = np.random.default_rng([landscape.seed, 1])
    passing = np.random.default_rng([landscape.seed, epoch.seed, 2])
    choice, tint = lasting.random(n), lasting.normal(0, 1, (n, 3)).astype(np.float32)
    change, drift = passing.random(n), passing.normal(0, 1, (n, 3)).astype(np.float32)
    like = np.array(canvas.like)
    choice, change = choice[like], change[like]

    colour = np.zeros((n, 3), np.float32)
    bare = np.zeros((n, 3), np.float32)
    patch, row_contrast, track = (np.zeros(n, np.float32) for _ in range(3))
    period = np.ones(n, np.float32)
    soils = np.array([bgr(c) for c in SOIL_RGB])
    region = int(lasting.integers(len(soils)))
    soil = soils[np.where(choice < 0.7, region, (choice * 97).astype(int) % len(soils))]

    for i in range(n):
        colour[i] = _plain_colour(Material(int(material[i])), epoch.season, choice[i], change[i])
    green = np.isin(material, (Material.GRASS, Material.FOREST_FLOOR, Material.PITCH))
    bare[:] = np.where(green[:, None], soil * 0.5 + colour * 0.5, soil)
    patch[green] = 0.1 + 0.35 * choice[green] ** 2
    scrub = material == Material.SCRUB
    colour[scrub] = soil[scrub] * 0.75 + colour[scrub] * 0.25
    bare[scrub], patch[scrub] = soil[scrub] * 1.12, 0.4

    crops = np.flatnonzero((material == Material.CROP) | (material == Material.SOIL))
    state = _crop_states(crops, material, epoch.season, passing)
    of_parcel = np.zeros(n, int)
    of_parcel[crops] = state
    for i in crops.tolist():
        s = int(of_parcel[like[i]])
        shades = CROP_RGB[Crop(s)]
        colour[i] = (
            soil[i] if s == Crop.PLOUGHED else bgr(shades[int(choice[i] * 31) % len(shades)])
        )
        bare[i] = soil[i] * (1.12 if s == Crop.PLOUGHED else 1.0)
        patch[i] = {Crop.YOUNG: 0.7, Crop.PLOUGHED: 0.9}.get(Crop(s), 0.25) * (0.4 + change[i])
        strong = {Crop.YOUNG: 0.16, Crop.STUBBLE: 0.10, Crop.MOWN: 0.10, Crop.PLOUGHED: 0.07}
        row_contrast[i] = strong.get(Crop(s), 0.04) * passing.uniform(0.3, 1.4)
        period[i] = float(passing.choice([0.9, 1.5, 3.0, 6.0, 9.0]))
        track[i] = passing.uniform(-0.22, 0.1) if passing.random() < 0.6 else 0.0
    mown = green & (change < 0.15)
    row_contrast[mown], period[mown] = 0.06, 4.0
    pitch = material == Material.PITCH
    row_contrast[pitch], period[pitch] = 0.05, 10.0

    spread = np.where(np.isin(material, (Material.CROP, Material.GRASS)), 0.055, 0.06)
    colour *= 1 + spread[:, None] * (
        tint[:, :1] * 0.8 + tint * 0.45 + drift[:, :1] * 0.6 + drift * 0.3
    )
    hard = np.isin(material, (Material.ASPHALT, Material.CONCRETE, Material.GRAVEL))
    colour[hard] *= (1 + 0.1 * drift[hard, :1]).clip(0.7, 1.35)
    gone = _gone(np.array(canvas.fate), canvas.buildings, epoch.removed_share, passing)
    colour[gone] = np.where(choice[gone, None] < 0.5, soil[gone], bgr(GRASS_RGB[epoch.season][0]))
    mottle = np.array([MOTTLE[Material(int(m))] for m in material], np.float32)
    mottle *= passing.uniform(0.7, 1.3, 3).astype(np.float32)
    crown_colour, crown_cover = _crowns(epoch, lasting, passing)
    return ColourTables(
        colour,
        bare.astype(np.float32),
        patch,
        row_contrast,
        period,
        track,
        mottle,
        np.array(canvas.heading, np.float32),
        gone,
        crown_colour,
        crown_cover,
    )


def _plain_colour(material: Material, season: Season, choice: float, change: float) -> FloatLayer:
    def pick(shades: tuple[RGB, ...], at: float) -> FloatLayer:
        return bgr(shades[int(at * len(shades)) % len(shades)])

    if material in (Material.GRASS, Material.SCRUB):
        lush, poor = (bgr(c) for c in GRASS_RGB[season])
        dryness = np.float32(0.6 * choice + 0.4 * change)
        mixed: FloatLayer = lush * (1 - dryness) + poor * dryness
        return mixed
    if material is Material.PITCH:
        return bgr((84, 122, 62)) if season is not Season.DRY else bgr((120, 134, 84))
    if material is Material.FOREST_FLOOR:
        return bgr(FLOOR_RGB[season])
    if material is Material.ASPHALT:
        return np.full(3, 88 + 58 * choice, np.float32) + np.array([2, 0, -1], np.float32)
    if material is Material.CONCRETE:
        return np.full(3, 150 + 45 * choice, np.float32) - np.array([8, 2, 0], np.float32)
    if material is Material.GRAVEL:
        return pick(((168, 152, 128), (146, 124, 98), (184, 174, 158), (128, 112, 92)), choice)
    if material is Material.ROOF:
        return pick(ROOF_RGB, choice)
    if material is Material.FLAT_ROOF:
        return pick(FLAT_ROOF_RGB, choice)
    if material is Material.POOL:
        return pick(
            ((82, 168, 190), (60, 130, 170), (40, 60, 90), (92, 150, 150)),
            0.6 * choice + 0.3 * change,
        )
    return bgr((120, 110, 90))


def _crop_states(
    crops: NDArray[np.intp], material: NDArray[np.intp], season: Season, rng: np.random.Generator
) -> NDArray[np.intp]:
    """One state a field; some share their neighbour's, having been merged."""
    state = rng.choice(len(Crop), len(crops), p=CROP_SHARE[season])
    state[material[crops] == Material.SOIL] = Crop.PLOUGHED
    for k in np.flatnonzero(rng.random(len(crops)) < MERGED_SHARE):
        state[k] = state[k - 1]
    return state


def _gone(
    fate: NDArray[np.intp], buildings: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    removed = rng.random(buildings + 1) < share
    removed[0] = False
    return np.asarray(removed[fate])


def _crowns(
    epoch: Epoch, lasting: np.random.Generator, passing: np.random.Generator
) -> tuple[FloatLayer, FloatLayer]:
    colour = np.zeros((2 * TONES + 1, 3), np.float32)
    cover = np.zeros(2 * TONES + 1, np.float32)
    leaves, tones = LEAF_RGB[epoch.season], lasting.normal(0, 1, 2 * TONES)
    for tone in range(TONES):
        shade = leaves[(tone + epoch.seed) % len(leaves)]
        colour[1 + tone] = bgr(shade) * (1 + 0.1 * tones[tone] + 0.05 * passing.normal())
        leafless = epoch.season is Season.WINTER or (
            epoch.season is Season.AUTUMN and passing.random() < 0.3
        )
        cover[1 + tone] = LEAFLESS_COVER if leafless else 0.95
        needle = bgr(NEEDLE_RGB[tone % len(NEEDLE_RGB)])
        colour[1 + TONES + tone] = needle * (1 + 0.1 * tones[TONES + tone])
        cover[1 + TONES + tone] = 0.97
    return colour, cover
