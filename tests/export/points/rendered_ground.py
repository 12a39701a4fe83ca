"""Photographs of a plain with two blocks on it, rendered from known poses."""

import cv2
import numpy as np

from export.points.reconstruction import Camera

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
TEXTURE_M = 0.1
HALF_M = 50.0
BLOCKS = ((-20.0, -4.0, -12.0, 4.0, 3.0), (10.0, -6.0, 16.0, 2.0, 2.0))  # x0 y0 x1 y1 height


def _texture() -> np.ndarray:
    rng = np.random.default_rng(1)
    size = int(2 * HALF_M / TEXTURE_M)
    out = np.zeros((size, size, 3), np.float32)
    for cell in (4, 16, 64):
        coarse = rng.random((size // cell + 1, size // cell + 1, 3)).astype(np.float32)
        out += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    return (40 + 60 * out).clip(1, 255).astype(np.uint8)


TEXTURE = _texture()


def colours_at(x, y, shift):
    """The ground's colours at metres east and north; blocks wear it shifted."""
    column = ((x + HALF_M + shift) / TEXTURE_M).astype(np.float32)
    row = ((HALF_M - y) / TEXTURE_M).astype(np.float32)
    return cv2.remap(TEXTURE, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def height_at(x, y):
    z = np.zeros_like(x)
    for x0, y0, x1, y1, h in BLOCKS:
        z[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)] = h
    return z


def camera(name: str, east: float, north: float, up: float, heading: float) -> Camera:
    c, s = np.cos(heading), np.sin(heading)
    rotation = ((c, -s, 0.0), (-s, -c, 0.0), (0.0, 0.0, -1.0))  # x right, y back, looking down
    plain = tuple(tuple(map(float, row)) for row in rotation)
    return Camera(
        name, WIDTH, HEIGHT, FOCAL, (WIDTH / 2, HEIGHT / 2), 0.0, plain, (east, north, up)
    )


def photograph_of(cam: Camera) -> np.ndarray:
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    rays = np.stack(((u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones_like(u)), -1)
    rays = rays @ np.array(cam.rotation)
    x0, y0, z0 = cam.position_m
    t = -z0 / rays[..., 2]
    picture = colours_at(x0 + t * rays[..., 0], y0 + t * rays[..., 1], 0.0)
    for number, (west, south, east, north, height) in enumerate(BLOCKS, 1):
        t = (height - z0) / rays[..., 2]
        x, y = x0 + t * rays[..., 0], y0 + t * rays[..., 1]
        top = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        picture[top] = colours_at(x, y, 7.0 * number)[top]
    return picture
