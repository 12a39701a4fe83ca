"""Built-up land: villages, suburbs, city blocks, estates of flats, industry, parks."""

from __future__ import annotations

import math

import numpy as np

from maps.world.buildings import flat_building, hall, parking_lot, pitched_roof
from maps.world.canvas import Canvas
from maps.world.countryside import draw_path
from maps.world.gardens import SHORE_M, garden_lot
from maps.world.materials import Material
from maps.world.polygons import Points, area_m2, box, inset, long_axis, subdivide
from maps.world.vegetation import add_tree, wood

SQUARE_SHARE = 0.78  # plots that fill less of the box around them are too pointed for halls


def _blocks(canvas: Canvas, district: Points, area: float, street_m: float) -> list[Points]:
    """Streets over the whole district, blocks with pavements left between them."""
    rng = canvas.rng
    canvas.fill(canvas.bent(district), canvas.new_parcel(Material.ASPHALT))
    blocks = []
    pavement_m = float(rng.choice([0.0, 1.5, 2.5]))
    for block in subdivide(district, rng, area, 0.08):
        kerb = inset(block, street_m / 2)
        if not len(kerb) or not canvas.inside(canvas.bent_shape(kerb)):
            continue
        canvas.fill(canvas.bent(kerb), canvas.new_parcel(Material.CONCRETE))
        if rng.random() < 0.35:
            for a, b in zip(block, np.roll(block, -1, axis=0), strict=True):
                _street_line(canvas, a, b)
        _kerb_cars(canvas, inset(block, street_m / 2 - 1.2), rng.uniform(0.05, 0.5))
        inner = inset(kerb, pavement_m)
        if len(inner):
            canvas.fill(canvas.bent(inner), canvas.new_parcel(Material.GRASS))
            blocks.append(inner)
    return blocks


def _street_line(canvas: Canvas, a: Points, b: Points) -> None:
    length = math.hypot(*(b - a))
    for at in np.arange(5, length - 5, 9.0):
        ends = np.array([a + (b - a) * (at / length), a + (b - a) * ((at + 3) / length)])
        canvas.mark(canvas.bent_shape(ends), 0.14)


def _kerb_cars(canvas: Canvas, line: Points, share: float) -> None:
    if not len(line):
        return
    for a, b in zip(line, np.roll(line, -1, axis=0), strict=True):
        length = math.hypot(*(b - a))
        for at in np.arange(8, length - 8, 6.0):
            (x, y), (x2, y2) = canvas.bent_shape(np.array([a + (b - a) * (at / length), b]))
            canvas.car_spots.append((x, y, math.atan2(y2 - y, x2 - x), share))


def draw_houses(canvas: Canvas, district: Points, lot_m2: float, built: float) -> None:
    """Village or suburb: gardens with houses along the streets."""
    rng = canvas.rng
    street = rng.uniform(4.5, 7.5)
    for block in _blocks(canvas, district, lot_m2 * rng.uniform(10, 24), street):
        if rng.random() < 0.06:
            draw_park(canvas, block)
            continue
        for lot in subdivide(block, rng, lot_m2, 0.03):
            garden_lot(canvas, lot, block, built)


def draw_city(canvas: Canvas, district: Points) -> None:
    """Dense blocks: buildings wall to wall around courtyards."""
    rng = canvas.rng
    storeys = rng.uniform(2, 7)
    for block in _blocks(canvas, district, rng.uniform(4000, 9000), rng.uniform(9, 16)):
        kind = rng.random()
        if kind < 0.06:
            draw_park(canvas, block)
            continue
        if kind < 0.14:
            parking_lot(canvas, canvas.bent_shape(block), 0.7)
            continue
        canvas.fill(canvas.bent(block), canvas.new_parcel(Material.CONCRETE))
        court = inset(block, rng.uniform(11, 16))
        for lot in subdivide(block, rng, rng.uniform(250, 800), 0.02):
            shape = (
                canvas.bent_shape(inset(lot, rng.choice([0.1, 0.1, 1.5])))
                if len(inset(lot, 1.5))
                else None
            )
            if shape is None or canvas.wet(shape.mean(axis=0), SHORE_M):
                continue
            centre, along, length, width = long_axis(shape)
            height = 3.1 * max(1, round(rng.normal(storeys, 1.2))) + 1
            if rng.random() < 0.08:
                canvas.fill(shape, canvas.new_parcel(Material.ASPHALT))
            elif rng.random() < 0.4 and width < 22:
                pitched_roof(
                    canvas,
                    centre,
                    along,
                    (length * 0.97, width * 0.95),
                    height,
                    rng.uniform(0.3, 0.7),
                    False,
                )
            else:
                flat_building(canvas, shape, height)
        if len(court) and area_m2(court) > 120:
            _courtyard(canvas, canvas.bent_shape(court))


def _courtyard(canvas: Canvas, shape: Points) -> None:
    rng = canvas.rng
    surface = [Material.GRASS, Material.ASPHALT, Material.CONCRETE][int(rng.integers(3))]
    canvas.fill_height(shape, 0.0)
    canvas.fill(shape, canvas.new_parcel(surface))
    for _ in range(int(rng.poisson(area_m2(shape) / 120))):
        if surface is Material.GRASS:
            add_tree(
                canvas,
                rng.uniform(shape.min(axis=0), shape.max(axis=0)),
                rng.uniform(1.5, 4),
                False,
            )


def draw_estate(canvas: Canvas, district: Points) -> None:
    """Slabs of flats on lawns, with parking."""
    rng = canvas.rng
    for block in _blocks(canvas, district, rng.uniform(9000, 18000), rng.uniform(7, 10)):
        shape = canvas.bent_shape(block)
        centre, along, length, width = long_axis(shape)
        if area_m2(shape) < SQUARE_SHARE * length * width:
            draw_park(canvas, block)
            continue
        across = np.array([-along[1], along[0]])
        pitch, depth = rng.uniform(32, 48), rng.uniform(11, 15)
        height = 3.0 * float(rng.integers(3, 11))
        turned = rng.random() < 0.5
        a, b, span, reach = (
            (across, along, width, length) if turned else (along, across, length, width)
        )
        for k, offset in enumerate(np.arange(-reach / 2 + 14, reach / 2 - 10, pitch)):
            at = centre + b * offset
            if canvas.wet(at, SHORE_M + 15):
                continue
            flat_building(canvas, box(at, a, span * rng.uniform(0.5, 0.75), depth), height)
            if k % 2 == 0:
                parking_lot(canvas, box(at + b * pitch / 2, a, span * 0.6, 16.5), 0.6)
        for _ in range(int(rng.poisson(area_m2(block) / 260))):
            at = (
                centre
                + along * length * rng.uniform(-0.5, 0.5)
                + across * width * rng.uniform(-0.5, 0.5)
            )
            add_tree(canvas, at, rng.uniform(1.8, 5), rng.random() < 0.15)
        draw_path(canvas, block)


def draw_industry(canvas: Canvas, district: Points) -> None:
    """Halls, yards, containers, parking."""
    rng = canvas.rng
    for block in _blocks(canvas, district, rng.uniform(20000, 45000), rng.uniform(8, 12)):
        for lot in subdivide(block, rng, rng.uniform(4000, 12000), 0.02):
            shape = canvas.bent_shape(inset(lot, 2)) if len(inset(lot, 2)) else None
            if shape is None or canvas.wet(shape.mean(axis=0), SHORE_M + 20):
                continue
            yard = [Material.ASPHALT, Material.CONCRETE, Material.GRAVEL][int(rng.integers(3))]
            canvas.fill(shape, canvas.new_parcel(yard))
            centre, along, length, width = long_axis(shape)
            if area_m2(shape) < SQUARE_SHARE * length * width:
                flat_building(canvas, inset(shape, 8), rng.uniform(4, 9))
                continue
            if rng.random() < 0.85:
                hall_at = box(centre - along * length * 0.15, along, length * 0.62, width * 0.9)
                hall(canvas, hall_at, rng.uniform(6, 13))
            lot_at = box(centre + along * length * 0.34, along, length * 0.26, width * 0.85)
            if rng.random() < 0.5:
                parking_lot(canvas, lot_at, 0.6)
            else:
                _containers(canvas, lot_at)


def _containers(canvas: Canvas, yard: Points) -> None:
    rng = canvas.rng
    centre, along, length, width = long_axis(yard)
    across = np.array([-along[1], along[0]])
    for a in np.arange(-length / 2, length / 2, 14.0):
        for b in np.arange(-width / 2, width / 2, 3.2):
            if rng.random() < 0.35:
                shape = box(centre + along * a + across * b, along, 12.0, 2.5)
                canvas.buildings += 1
                canvas.fill(shape, canvas.new_parcel(Material.ROOF, 0.0, canvas.buildings))
                canvas.fill_height(shape, 2.6 * float(rng.integers(1, 3)))


def draw_park(canvas: Canvas, district: Points) -> None:
    """Lawns, paths, groups of trees, a playing field."""
    rng = canvas.rng
    outline = canvas.bent(district)
    canvas.fill(outline, canvas.new_parcel(Material.GRASS))
    centre, along, length, width = long_axis(outline)
    if rng.random() < 0.5 and width > 55 and length > 75:
        _pitch(canvas, centre, along)
    else:
        wood(canvas, outline, 0.15, rng.uniform(-0.3, 0.3))
    for _ in range(int(rng.integers(1, 4))):
        draw_path(canvas, district)


def _pitch(canvas: Canvas, centre: Points, along: Points) -> None:
    rng = canvas.rng
    if rng.random() < 0.4:
        canvas.fill(box(centre, along, 118, 82), canvas.new_parcel(Material.ROOF))
    field = box(centre, along, 100, 64)
    canvas.fill(field, canvas.new_parcel(Material.PITCH, math.atan2(along[1], along[0])))
    across = np.array([-along[1], along[0]])
    for line in (
        box(centre, along, 94, 58),
        box(centre - along * 41, across, 36, 12),
        box(centre + along * 41, across, 36, 12),
    ):
        canvas.mark(np.concatenate([line, line[:1]]), 0.15)
    canvas.mark(np.array([centre - across * 29, centre + across * 29]), 0.15)
