"""What makes one place look different twice: season, sun, sensor, haze, blur, new things.

Everything works on gray floats in 0..1, because gray is what the network sees.
"""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Gray = MatLike  # (H,W) float32


def gray_of(picture: NDArray[np.uint8], rng: np.random.Generator) -> Gray:
    """(H,W,3) BGR -> gray by random band weights, with materials re-lit by their colour:
    what is greener (or redder) becomes brighter or darker, as season and sensor make it."""
    bands = picture.astype(np.float32) / 255.0
    weights = rng.dirichlet((1.5, 2.0, 1.5)).astype(np.float32)
    gray = bands @ weights
    if rng.random() < 0.6:
        axis = rng.normal(size=3).astype(np.float32)
        axis -= axis.mean()  # chroma only
        chroma = cv2.GaussianBlur(bands @ axis, (0, 0), 1.0 + 3.0 * float(rng.random()))
        chroma = (chroma - chroma.mean()) / (chroma.std() + 0.02)
        gray = gray + np.tanh(chroma + float(rng.normal())) * float(rng.normal()) * 0.12
    return np.clip(gray, 0.0, 1.0)


def change_things(gray: Gray, rng: np.random.Generator) -> Gray:
    """Moved cars, new buildings, a field of another crop: patches painted over."""
    h, w = gray.shape
    out = gray.copy()
    for _ in range(int(rng.integers(0, 25))):
        box = cv2.boxPoints(
            (
                (float(rng.uniform(0, w)), float(rng.uniform(0, h))),
                (float(rng.uniform(3, 7)), float(rng.uniform(6, 13))),
                float(rng.uniform(0, 180)),
            )
        )
        cv2.fillConvexPoly(out, box.astype(np.int32), float(rng.random()))
    for _ in range(int(rng.integers(0, 4))):
        side = rng.uniform(0.06, 0.3, 2) * w
        centre = rng.uniform(0, 1, 2) * (w, h)
        box = cv2.boxPoints(
            (tuple(map(float, centre)), tuple(map(float, side)), float(rng.uniform(0, 180)))
        )
        mask = cv2.fillConvexPoly(np.zeros((h, w), np.float32), box.astype(np.int32), 1.0)
        if rng.random() < 0.5:  # another texture, taken from elsewhere in the picture
            filler: Gray = np.roll(gray, tuple(int(s) for s in rng.integers(20, w - 20, 2)), (0, 1))
        else:
            blotches = rng.normal(rng.random(), 0.1, (12, 12)).astype(np.float32)
            filler = cv2.resize(blotches, (w, h))
        out[mask > 0] = filler[mask > 0]
    return np.asarray(out, np.float32)


def cast_shadows(gray: Gray, rng: np.random.Generator) -> Gray:
    """Darkens what lies beside bright compact things, as the sun of another hour would."""
    local = gray - cv2.GaussianBlur(gray, (0, 0), 9)
    tall: Gray = (local > float(np.quantile(local, rng.uniform(0.7, 0.93)))).astype(np.float32)
    tall = cv2.morphologyEx(tall, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(3, 12)
    shadow: Gray = np.zeros_like(tall)
    for part in np.linspace(0.3, 1.0, 4):
        dx, dy = length * part * np.cos(angle), length * part * np.sin(angle)
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        shadow = np.maximum(shadow, cv2.warpAffine(tall, move, tall.shape[::-1]))
    shadow = cv2.GaussianBlur(shadow * (1 - tall), (0, 0), 0.8)
    return gray * (1.0 - float(rng.uniform(0.2, 0.6)) * shadow)


def expose(gray: Gray, rng: np.random.Generator) -> Gray:
    """Tone curve, uneven light, vignette and haze."""
    h, w = gray.shape
    out = np.clip(gray, 1e-3, 1.0) ** float(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.4:
        light = cv2.resize(
            rng.normal(0, 0.18, (3, 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC
        )
        out = out * (1.0 + light)
    if rng.random() < 0.1:  # a band or a season in which bright and dark change places
        out = 1.0 - out
    haze = float(rng.uniform(0, 0.5)) if rng.random() < 0.4 else 0.0
    return out * (1 - haze) + haze * float(rng.uniform(0.4, 0.9))


def take(gray: Gray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Resolution, blur, noise and JPEG of a camera: (H,W) 0..1 -> uint8, 1..255."""
    h, w = gray.shape
    out = gray
    if rng.random() < 0.5:
        factor = float(rng.uniform(1.0, 2.2))
        small = cv2.resize(out, (int(w / factor), int(h / factor)), interpolation=cv2.INTER_AREA)
        out = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    choice = rng.random()
    if choice < 0.3:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif choice < 0.4:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        half = (length - 1) / 2
        offset = np.array([np.cos(angle), np.sin(angle)]) * half
        a, b = np.round(half - offset).astype(int), np.round(half + offset).astype(int)
        cv2.line(kernel, a.tolist(), b.tolist(), 1.0)
        out = cv2.filter2D(out, -1, kernel / kernel.sum())
    elif choice < 0.6:
        out = out + float(rng.uniform(0.3, 1.2)) * (out - cv2.GaussianBlur(out, (0, 0), 1.2))
    noise = float(rng.uniform(0, 0.04))
    out = out + rng.standard_normal((h, w), dtype=np.float32) * noise
    eight = np.clip(out * 255.0, 1, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 96))
        ok, data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok:
            decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
            eight = np.maximum(decoded, 1)
    return np.asarray(eight, np.uint8)


def photograph(
    picture: NDArray[np.uint8], rng: np.random.Generator, changes: bool
) -> NDArray[np.uint8]:
    """(H,W,3) BGR -> (H,W) uint8 as another sensor on another day would have it."""
    gray = gray_of(picture, rng)
    if changes:
        gray = change_things(gray, rng)
    if rng.random() < 0.35:
        gray = cast_shadows(gray, rng)
    return take(expose(gray, rng), rng)
