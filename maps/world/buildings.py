"""Houses with gable and hip roofs, flat roofs with their clutter, halls, and parked cars."""

from __future__ import annotations

import math

import numpy as np

from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.polygons import Points, area_m2, box, clip, inset, long_axis

STALL_LENGTH_M, STALL_WIDTH_M = 5.0, 2.5


def new_building(canvas: Canvas, material: Material, heading: float) -> int:
    """A parcel of its own that may be missing at one epoch."""
    canvas.buildings += 1
    return canvas.new_parcel(material, heading, fate=canvas.buildings)


def pitched_roof(
    canvas: Canvas,
    centre: Points,
    along: Points,
    size_m: tuple[float, float],
    eave_m: float,
    slope: float,
    hip: bool,
    parcel: int | None = None,
) -> None:
    """A rectangle (length, width) under a roof whose ridge runs along the length."""
    length, width = size_m
    gsd = canvas.gsd_m
    reach = math.hypot(length, width) / 2
    low = np.maximum(np.floor((centre - reach) / gsd).astype(int), 0)
    high = np.minimum(np.ceil((centre + reach) / gsd).astype(int) + 1, canvas.side_px)
    if (high <= low).any():
        return
    if parcel is None:
        parcel = new_building(canvas, Material.ROOF, math.atan2(along[1], along[0]))
    x = (np.arange(low[0], high[0]) + 0.5) * gsd - centre[0]
    y = ((np.arange(low[1], high[1]) + 0.5) * gsd - centre[1])[:, None]
    u = np.abs(x * along[0] + y * along[1])
    v = np.abs(y * along[0] - x * along[1])
    under = (u <= length / 2) & (v <= width / 2)
    rise = (width / 2 - v) * slope
    if hip:
        rise = np.minimum(rise, (length / 2 - u) * slope * 1.2)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    height = ((eave_m + np.maximum(rise, 0)) * 100).astype(np.uint16)
    higher = under & (height > canvas.building_cm[window])
    canvas.building_cm[window][higher] = height[higher]
    canvas.parcel[window][higher] = parcel
    canvas.paint[window][higher] = 0


def house(canvas: Canvas, centre: Points, along: Points, size_m: tuple[float, float]) -> None:
    """A dwelling, sometimes with a wing and a chimney, sometimes with a flat roof."""
    rng = canvas.rng
    eave = rng.choice([2.8, 3.2, 5.5, 6.0])
    if rng.random() < 0.12:
        flat_building(canvas, box(centre, along, *size_m), eave + 0.5)
        return
    slope, hip = rng.uniform(0.35, 0.9), bool(rng.random() < 0.35)
    parcel = new_building(canvas, Material.ROOF, math.atan2(along[1], along[0]))
    pitched_roof(canvas, centre, along, size_m, eave, slope, hip, parcel)
    across = np.array([-along[1], along[0]])
    if rng.random() < 0.4:
        wing = (size_m[1] * rng.uniform(0.8, 1.1), size_m[1] * rng.uniform(0.55, 0.8))
        sign = rng.choice([-1, 1])
        at = (
            centre + across * sign * size_m[1] * 0.55 + along * size_m[0] * rng.uniform(-0.25, 0.25)
        )
        pitched_roof(canvas, at, across, wing, eave - 0.3, slope, hip, parcel)
    if rng.random() < 0.5:
        at = centre + along * size_m[0] * rng.uniform(-0.3, 0.3) + across * 0.8
        canvas.fill_height(box(at, along, 0.9, 0.7), eave + size_m[1] / 2 * slope + 0.7)


def flat_building(canvas: Canvas, polygon: Points, height_m: float) -> None:
    """Any convex polygon under a flat roof with parapet, plant rooms, skylights or solar panels."""
    rng = canvas.rng
    if len(polygon) < 3 or area_m2(polygon) < 15:
        return
    centre, along, length, width = long_axis(polygon)
    heading = math.atan2(along[1], along[0])
    canvas.fill(polygon, new_building(canvas, Material.FLAT_ROOF, heading))
    canvas.fill_height(polygon, height_m + rng.choice([0.0, 0.4, 0.6]))
    roof = inset(polygon, max(0.3, canvas.gsd_m * 1.2))
    if not len(roof):
        return
    canvas.fill_height(roof, height_m)
    if rng.random() < 0.25 and min(length, width) > 12:  # roofed in two stages
        higher = clip(roof, centre + along * length * rng.uniform(-0.2, 0.2), along)
        if len(higher):
            canvas.fill(higher, new_building(canvas, Material.FLAT_ROOF, heading))
            canvas.fill_height(higher, height_m + rng.uniform(2.5, 6))
            return
    _roof_clutter(canvas, (centre, along, length * 0.75, width * 0.7), height_m)


def _roof_clutter(
    canvas: Canvas, extent: tuple[Points, Points, float, float], height_m: float
) -> None:
    rng = canvas.rng
    centre, along, length, width = extent
    across = np.array([-along[1], along[0]])
    heading = math.atan2(along[1], along[0])
    material = [Material.FLAT_ROOF, Material.FLAT_ROOF, Material.POOL][int(rng.integers(0, 2))]
    fate = canvas.buildings
    style = rng.random()
    if style < 0.25 and length > 15:  # rows of skylights or solar panels
        parcel = canvas.new_parcel(material, heading, fate)
        for offset in np.arange(-length / 2, length / 2, rng.uniform(4, 8)):
            strip = box(centre + along * offset, across, width * 0.8, rng.uniform(0.9, 1.8))
            canvas.fill(strip, parcel)
            canvas.fill_height(strip, height_m + 0.4)
        return
    for _ in range(int(rng.poisson(min(8.0, length * width / 120)))):
        at = (
            centre
            + along * length * rng.uniform(-0.5, 0.5)
            + across * width * rng.uniform(-0.5, 0.5)
        )
        unit = box(at, along, rng.uniform(1, 4), rng.uniform(1, 3))
        canvas.fill(unit, canvas.new_parcel(material, heading, fate))
        canvas.fill_height(unit, height_m + rng.uniform(0.6, 2.5))


def hall(canvas: Canvas, polygon: Points, height_m: float) -> None:
    """An industrial hall: low gables side by side, or a flat roof."""
    rng = canvas.rng
    centre, along, length, width = long_axis(polygon)
    if rng.random() < 0.5:
        flat_building(canvas, box(centre, along, length * 0.8, width * 0.75), height_m)
        return
    across = np.array([-along[1], along[0]])
    bays = max(1, round(width * 0.75 / rng.uniform(10, 25)))
    parcel = new_building(canvas, Material.ROOF, math.atan2(along[1], along[0]))
    bay = width * 0.75 / bays
    for k in range(bays):
        at = centre + across * (k - (bays - 1) / 2) * bay
        pitched_roof(canvas, at, along, (length * 0.8, bay), height_m, 0.15, False, parcel)


def parking_lot(canvas: Canvas, polygon: Points, share_filled: float) -> None:
    """Asphalt with painted stalls in pairs of rows along the longer side."""
    if len(polygon) < 3 or area_m2(polygon) < 200:
        return
    canvas.fill(polygon, canvas.new_parcel(Material.ASPHALT))
    centre, along, length, width = long_axis(inset(polygon, 1.0))
    if length < 12 or width < 2 * STALL_LENGTH_M:
        return
    across = np.array([-along[1], along[0]])
    for offset in np.arange(
        -width / 2 + STALL_LENGTH_M / 2, width / 2 - 2, 2 * STALL_LENGTH_M + 6.5
    ):
        for row in (offset, offset + STALL_LENGTH_M):
            if row + STALL_LENGTH_M / 2 > width / 2 + 0.5:
                continue
            middle = centre + across * row
            for step in np.arange(-length / 2 + 2, length / 2 - 2, STALL_WIDTH_M):
                at = middle + along * (step + STALL_WIDTH_M / 2)
                side = middle + along * step
                half = across * STALL_LENGTH_M / 2
                canvas.mark(np.array([side - half, side + half]), 0.12)
                canvas.car_spots.append(
                    (at[0], at[1], math.atan2(across[1], across[0]), share_filled)
                )
