"""A landscape at one epoch, coloured block by block where somebody looks."""

from __future__ import annotations

import math
import weakref
from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.colours import colour_tables
from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.materials import CAR_RGB, WATER_RGB, bgr
from maps.world.noise import FloatLayer, Texture, fractal_noise
from maps.world.relief import grid_window
from maps.world.shadows import shadow_share

BLOCK_PX = 512
SCENES_KEPT = 4  # per landscape
CAR_HEIGHT_M, CAR_LENGTH_M, CAR_WIDTH_M = 1.5, 4.4, 1.8
STEEPEST = 1.3  # slopes (rise per run) above this shade alike: walls are one pixel wide
SHADOW_STEP = 2  # shadows are cast on every second pixel
PAINT_BGR = np.array([222, 228, 230], np.float32)


class Scene:
    """colour: BGR reflectance under this sun (uint8); height_cm: objects that stand at this
    epoch. Ask `prepare` for the rows and columns needed before reading either."""

    def __init__(self, landscape: Landscape, epoch: Epoch) -> None:
        self.epoch = epoch
        self._place = weakref.proxy(landscape)
        self._tables = colour_tables(landscape, epoch)
        side = landscape.side_px
        self.colour = np.zeros((side, side, 3), np.uint8)
        self.height_cm = np.zeros((side, side), np.uint16)
        blocks = math.ceil(side / BLOCK_PX)
        self._done = np.zeros((blocks, blocks), bool)
        rng = np.random.default_rng([landscape.seed, epoch.seed, 3])
        self._growth = Texture(fractal_noise(rng, 512, 30 / landscape.gsd_m, 4, 0.6))
        self._speckle = Texture(fractal_noise(rng, 512, 1.2 / landscape.gsd_m, 3, 0.8))
        self._water_bgr = bgr(WATER_RGB[int(rng.integers(len(WATER_RGB)))])
        self._water_bgr = self._water_bgr * np.float32(rng.uniform(0.8, 1.5))
        self._shadow = self._cast_shadows()
        spots = np.array(landscape.canvas.car_spots, np.float32).reshape(-1, 4)
        self._cars = spots[rng.random(len(spots)) < spots[:, 3] * rng.uniform(0.5, 1.3)]
        self._car_colour = rng.integers(0, len(CAR_RGB), len(self._cars))

    def prepare(self, rows: slice, cols: slice) -> None:
        """Colours every block that touches these rows and columns."""
        for i in range(rows.start // BLOCK_PX, (rows.stop - 1) // BLOCK_PX + 1):
            for j in range(cols.start // BLOCK_PX, (cols.stop - 1) // BLOCK_PX + 1):
                if not self._done[i, j]:
                    self._colour_block(i * BLOCK_PX, j * BLOCK_PX)
                    self._done[i, j] = True

    def _standing_cm(self, window: tuple[slice, slice]) -> NDArray[np.uint16]:
        canvas = self._place.canvas
        building = np.where(
            self._tables.gone[canvas.parcel[window]], np.uint16(0), canvas.building_cm[window]
        )
        return np.asarray(np.maximum(building, canvas.tree_cm[window]), np.uint16)

    def _cast_shadows(self) -> NDArray[np.uint8]:
        """Share of direct light lost (0..255) on every SHADOW_STEP-th pixel."""
        place, step = self._place, slice(None, None, SHADOW_STEP)
        canvas = place.canvas
        parcel, crown = canvas.parcel[step, step], canvas.crown[step, step]
        building = np.where(self._tables.gone[parcel], 0, canvas.building_cm[step, step])
        tree = canvas.tree_cm[step, step]
        gsd = place.gsd_m * SHADOW_STEP
        n = building.shape[0]
        terrain = grid_window(place.terrain_m, place.size_m, gsd, slice(0, n), slice(0, n))
        cover = self._tables.crown_cover[crown]
        solid = np.maximum(building, np.where(cover > 0.8, tree, 0)) * np.float32(0.01) + terrain
        top = np.maximum(building, tree) * np.float32(0.01) + terrain
        shadow = shadow_share(
            solid, top, gsd, self.epoch.sun_azimuth_deg, self.epoch.sun_elevation_deg
        )
        bare = (crown > 0) & (cover < 0.8)
        if bare.any():
            sparse = shadow_share(
                top, top, gsd, self.epoch.sun_azimuth_deg, self.epoch.sun_elevation_deg
            )
            shadow = np.maximum(shadow, sparse * np.float32(0.4))
        return (shadow * 255).astype(np.uint8)

    def _colour_block(self, top: int, left: int) -> None:
        place, tables = self._place, self._tables
        canvas, side = place.canvas, place.side_px
        rows, cols = slice(top, min(top + BLOCK_PX, side)), slice(left, min(left + BLOCK_PX, side))
        window = rows, cols
        parcel = canvas.parcel[window].astype(np.intp)
        speckle = self._speckle.window(rows, cols)
        growth = self._growth.window(rows, cols)
        fine, coarse = place.fine.window(rows, cols), place.coarse.window(rows, cols)
        fertility = place.fertility.window(rows, cols)

        colour = tables.colour.take(parcel, 0, mode="clip")
        share = tables.patch.take(parcel, 0, mode="clip") * np.clip(
            0.2 + 0.45 * fertility + 0.25 * growth, 0, 1
        )
        colour += (tables.bare.take(parcel, 0, mode="clip") - colour) * share[..., None]
        mottle = tables.mottle.take(parcel, 0, mode="clip")
        gain = 1 + mottle[..., 0] * coarse + mottle[..., 1] * fine + mottle[..., 2] * speckle
        gain *= self._rows_and_tracks(parcel, rows, cols, growth)
        colour *= np.maximum(gain, 0.2)[..., None]
        colour[..., 2] *= 1 + 0.02 * coarse + 0.01 * fine  # hue varies a little, too
        colour[..., 0] *= 1 - 0.02 * coarse
        self._wet(colour, rows, cols, fine, speckle)
        paint = canvas.paint[window].astype(np.float32)[..., None] * (0.75 / 255)
        colour += (PAINT_BGR - colour) * paint
        self._park_cars(colour, rows, cols)
        crown = canvas.crown[window]
        cover = tables.crown_cover.take(crown)[..., None] * (canvas.tree_cm[window] > 0)[..., None]
        leaf = tables.crown_colour.take(crown, 0) * (1 + 0.10 * speckle + 0.06 * fine)[..., None]
        hidden = canvas.building_cm[window] > canvas.tree_cm[window]
        colour += (leaf - colour) * np.where(hidden[..., None], 0, cover)
        self.height_cm[window] = self._standing_cm(window)
        colour *= self._light(rows, cols)
        self.colour[window] = np.clip(colour, 1, 255).astype(np.uint8)

    def _rows_and_tracks(
        self, parcel: NDArray[np.intp], rows: slice, cols: slice, growth: FloatLayer
    ) -> FloatLayer:
        gsd, tables = self._place.gsd_m, self._tables
        heading = tables.heading
        cos, sin = np.cos(heading).take(parcel), np.sin(heading).take(parcel)
        x = (np.arange(cols.start, cols.stop, dtype=np.float32) + 0.5) * gsd
        y = ((np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * gsd)[:, None]
        across = y * cos - x * sin + 0.3 * growth
        gain = 1 + tables.row_contrast.take(parcel, 0, mode="clip") * np.sin(
            across * (2 * np.pi / tables.row_period_m).take(parcel)
        )
        track = tables.track_contrast.take(parcel, 0, mode="clip")
        if track.any():
            wheel = np.abs(np.mod(across, 24.0) - 12.0)
            gain *= 1 + track * (np.abs(wheel - 0.9) < 0.3)
        return np.asarray(gain, np.float32)

    def _wet(
        self, colour: FloatLayer, rows: slice, cols: slice, fine: FloatLayer, speckle: FloatLayer
    ) -> None:
        place = self._place
        edge = grid_window(place.canvas.water_m, place.size_m, place.gsd_m, rows, cols)
        edge += self.epoch.water_level_m + 0.6 * fine
        if edge.max() < -6:
            return
        road = np.isin(np.array(place.canvas.material)[place.canvas.parcel[rows, cols]], (4, 5))
        bank = np.clip(1 - np.abs(edge + 1.5) / 3, 0, 1) * 0.5 * ~road
        colour += (bgr((118, 106, 82)) - colour) * bank[..., None]
        depth = np.clip(edge / 8, 0, 1)[..., None]
        water = self._water_bgr * (1.35 - 0.35 * depth) * (1 + 0.04 * speckle)[..., None]
        colour += (water - colour) * (np.clip(edge * 1.2, 0, 1) * ~road)[..., None]

    def _park_cars(self, colour: FloatLayer, rows: slice, cols: slice) -> None:
        gsd = self._place.gsd_m
        x, y = self._cars[:, 0] / gsd - cols.start, self._cars[:, 1] / gsd - rows.start
        reach = CAR_LENGTH_M / gsd
        height, width = colour.shape[:2]
        near = (x > -reach) & (y > -reach) & (x < width + reach) & (y < height + reach)
        azimuth = math.radians(self.epoch.sun_azimuth_deg)
        fall = CAR_HEIGHT_M / math.tan(math.radians(self.epoch.sun_elevation_deg)) / gsd
        for k in np.flatnonzero(near):
            angle = math.degrees(float(self._cars[k, 2]))
            at = (float(x[k]), float(y[k]))
            size = (CAR_LENGTH_M / gsd, CAR_WIDTH_M / gsd)
            shade = (at[0] - math.sin(azimuth) * fall * 0.6, at[1] + math.cos(azimuth) * fall * 0.6)
            paint = bgr(CAR_RGB[int(self._car_colour[k])])
            _patch(colour, shade, size, angle, np.array([52, 48, 46], np.float32))
            _patch(colour, at, size, angle, paint)
            _patch(colour, at, (size[0] * 0.55, size[1] * 0.85), angle, paint * 0.45 + 12)
            _patch(colour, at, (size[0] * 0.36, size[1] * 0.8), angle, paint)

    def _light(self, rows: slice, cols: slice) -> FloatLayer:
        """(h, w, 3): light by slope towards the sun and by shadow; 1 on flat lit ground."""
        place, epoch, side = self._place, self.epoch, self._place.side_px
        wide_r = slice(max(rows.start - 1, 0), min(rows.stop + 1, side))
        wide_c = slice(max(cols.start - 1, 0), min(cols.stop + 1, side))
        surface = self._standing_cm((wide_r, wide_c)) * np.float32(0.01)
        surface += place.terrain_window(wide_r, wide_c)
        scale = 1 / (8 * place.gsd_m)
        dx = np.clip(cv2.Sobel(surface, cv2.CV_32F, 1, 0, scale=scale), -STEEPEST, STEEPEST)
        dy = np.clip(cv2.Sobel(surface, cv2.CV_32F, 0, 1, scale=scale), -STEEPEST, STEEPEST)
        azimuth, elevation = (
            math.radians(epoch.sun_azimuth_deg),
            math.radians(epoch.sun_elevation_deg),
        )
        east, south = (
            math.sin(azimuth) / math.tan(elevation),
            -math.cos(azimuth) / math.tan(elevation),
        )
        facing = (1 - dx * east - dy * south) / np.sqrt(1 + dx * dx + dy * dy)
        r0, c0 = rows.start - wide_r.start, cols.start - wide_c.start
        facing = facing[r0 : r0 + rows.stop - rows.start, c0 : c0 + cols.stop - cols.start]
        shadow = self._shadow_window(rows, cols)
        direct = np.clip(facing, 0, 1.7) * (1 - shadow) * (1 - epoch.shade)
        ambient = np.array([1.14, 1.0, 0.92], np.float32) * epoch.shade
        # Ambient light is bluer than the sun's; together they are white.
        lit = direct[..., None] + ambient
        return np.asarray(lit + (epoch.shade - ambient) * (1 - shadow)[..., None], np.float32)

    def _shadow_window(self, rows: slice, cols: slice) -> FloatLayer:
        matrix = np.array(
            [
                [1 / SHADOW_STEP, 0, cols.start / SHADOW_STEP],
                [0, 1 / SHADOW_STEP, rows.start / SHADOW_STEP],
            ]
        )
        shape = (cols.stop - cols.start, rows.stop - rows.start)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(
            self._shadow, matrix, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(part * np.float32(1 / 255), np.float32)


def _patch(
    colour: FloatLayer,
    at: tuple[float, float],
    size: tuple[float, float],
    angle_deg: float,
    value: FloatLayer,
) -> None:
    corners = cv2.boxPoints((at, size, angle_deg))
    fixed = np.round((corners - 0.5) * 16).astype(np.int32)
    cv2.fillConvexPoly(colour, fixed, value.tolist(), shift=4)


_scenes: weakref.WeakKeyDictionary[Landscape, OrderedDict[Epoch, Scene]] = (
    weakref.WeakKeyDictionary()
)


def scene_of(landscape: Landscape, epoch: Epoch) -> Scene:
    """The scene, kept for the next call: the last SCENES_KEPT epochs of every landscape."""
    kept = _scenes.setdefault(landscape, OrderedDict())
    if epoch not in kept:
        kept[epoch] = Scene(landscape, epoch)
        if len(kept) > SCENES_KEPT:
            kept.popitem(last=False)
    kept.move_to_end(epoch)
    return kept[epoch]
