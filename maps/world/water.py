"""Rivers and ponds, as the distance from the water's edge."""

from __future__ import annotations

import math

import cv2
import numpy as np

from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.noise import FloatLayer, SmoothWarp
from maps.world.relief import grid_window

BANK_M = 3.0  # between the water's usual edge and what grows beside it
STRIP_PX = 512


def water_edge(rng: np.random.Generator, size_m: float, river: float) -> FloatLayer:
    """(N, N) metres inside (+) or outside (-) of the water's edge, 1 m/px, north row first.

    river: chance that one runs through. Ponds come on their own.
    """
    side = math.ceil(size_m)
    mask = np.zeros((side, side), np.uint8)
    bend = SmoothWarp(rng, slope=0.9, shortest_m=120, longest_m=700)
    if rng.random() < river:
        start, end = rng.uniform(-0.1, 1.1, 2) * size_m
        t = np.linspace(-0.2, 1.2, 200)
        line = np.stack([start + (end - start) * t, t * size_m], axis=1)
        line = bend(line if rng.random() < 0.5 else line[:, ::-1])
        width = float(np.exp(rng.uniform(math.log(6), math.log(60))))
        for k in range(len(line) - 1):
            here = width * (1 + 0.25 * math.sin(k * 0.21) + 0.12 * math.sin(k * 0.53))
            ends = line[k : k + 2].astype(np.int32)
            cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 1, max(2, round(here)))
    for _ in range(int(rng.poisson(size_m**2 / 700.0**2))):
        radius = rng.uniform(8, 60)
        angle = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        ring = np.stack([np.cos(angle) * rng.uniform(0.5, 1), np.sin(angle)], axis=1) * radius
        pond = bend(ring + rng.uniform(0, size_m, 2))
        cv2.fillPoly(mask, [pond.astype(np.int32)], 1)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    edge = cv2.GaussianBlur(inside - np.minimum(outside, 200), (0, 0), 1.5)
    return np.asarray(edge, np.float32)


def draw_water(canvas: Canvas) -> None:
    """Puts water and its banks over what was drawn so far."""
    side = canvas.side_px
    parcel = canvas.new_parcel(Material.WATER)
    for row in range(0, side, STRIP_PX):
        rows = slice(row, min(row + STRIP_PX, side))
        edge = grid_window(canvas.water_m, canvas.size_m, canvas.gsd_m, rows, slice(0, side))
        wet = edge > -BANK_M
        canvas.parcel[rows][wet] = parcel
        canvas.building_cm[rows][wet] = 0
        canvas.paint[rows][wet] = 0
    spots = [s for s in canvas.car_spots if not canvas.wet(np.array(s[:2]), BANK_M)]
    canvas.car_spots[:] = spots
