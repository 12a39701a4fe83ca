"""Descriptors of all pictures of one side of a set, kept on disk chunk by chunk: a run that was
killed goes on, and a second one with another protocol describes nothing anew."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.benchmark.model import Floats32, Model
from export.datasets.picture_file import read_picture, resized
from export.datasets.retrieval_set import Item, Size, View
from export.weather.condition import Weather, weathered
from maps.in_order import in_order
from maps.progress import progress_s
from onboard.errors import InputError
from onboard.messages import Picture
from onboard.whole_file import make_folder, write_whole

CHUNK_PICTURES = 512
READERS = 2  # decoding keeps pace with a network on two cores


@dataclass(frozen=True)
class Look:
    """How pictures of one side are looked at. size: (height, width) that they go in with. flip:
    add the descriptors of the picture and its mirror image (University-1652's test)."""

    view: View
    size: Size
    weather: Weather = Weather.NORMAL
    flip: bool = False


@dataclass(frozen=True)
class Described:
    """descriptors: (N, D) of unit length; NaN where the picture could not be read.
    unreadable: why, a sentence each. key: names model, pictures and look."""

    descriptors: Floats32
    unreadable: tuple[str, ...]
    key: str


def describe_all(
    items: Sequence[Item], look: Look, model: Model, cache: Path, title: str
) -> Described:
    """Shows its progress under `title`. Raises InputError: the cache can't be written, no
    picture at all can be read."""
    key = _key(items, look, model)
    folder = cache / key
    make_folder(folder)
    parts, unreadable = [], []
    with tqdm(
        total=len(items), desc=title, unit="picture", smoothing=0.05, mininterval=progress_s()
    ) as bar:
        for start in range(0, len(items), CHUNK_PICTURES):
            chunk = items[start : start + CHUNK_PICTURES]
            path = folder / f"{start:07d}.npz"
            kept = _read(path, len(chunk))
            if kept is None:
                kept = _describe(chunk, look, model, bar)
                _write(path, *kept)
            else:
                bar.update(len(chunk))
            parts.append(kept[0])
            unreadable += kept[1]
    width = max((part.shape[1] for part in parts), default=0)
    if width == 0:
        raise InputError(f"{title}: not one of {len(items)} pictures can be read; {unreadable[0]}")
    whole = [p if p.shape[1] else np.full((len(p), width), np.nan, np.float32) for p in parts]
    return Described(np.concatenate(whole), tuple(unreadable), key)


def look_at(path: Path, look: Look) -> Picture:
    """One picture in its weather, then resized. Raises InputError."""
    return resized(weathered(read_picture(path), look.weather), look.size)


def _describe(
    chunk: Sequence[Item], look: Look, model: Model, bar: tqdm
) -> tuple[Floats32, list[str]]:
    """(n, D), or (n, 0) when not one of them can be read."""

    def read(item: Item) -> Picture | str:
        try:
            return look_at(item.picture, look)
        except InputError as e:
            return str(e)

    places: list[int] = []
    pictures: list[Picture] = []
    found: list[tuple[list[int], Floats32]] = []
    unreadable = []
    with ThreadPoolExecutor(READERS) as pool:
        for i, picture in enumerate(in_order(pool, read, chunk, 2 * model.batch)):
            if isinstance(picture, str):
                unreadable.append(picture)
            else:
                places.append(i)
                pictures.append(picture)
            if len(pictures) == model.batch:
                found.append((places, _descriptors(np.stack(pictures), look, model)))
                places, pictures = [], []
            bar.update(1)
    if pictures:
        found.append((places, _descriptors(np.stack(pictures), look, model)))
    width = found[0][1].shape[1] if found else 0
    out = np.full((len(chunk), width), np.nan, np.float32)
    for at, descriptors in found:
        out[at] = descriptors
    return out, unreadable


def _descriptors(pictures: NDArray[np.uint8], look: Look, model: Model) -> Floats32:
    found = model.describe(pictures, look.view)
    if look.flip:
        found = found + model.describe(np.ascontiguousarray(pictures[:, :, ::-1]), look.view)
        found = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return found.astype(np.float32)


def _key(items: Sequence[Item], look: Look, model: Model) -> str:
    """Another model, picture, order or look is another key; so is a file that changed, and a
    weather that is drawn otherwise."""
    gray = np.full((64, 64, 3), 128, np.uint8)
    digest = hashlib.sha256(weathered(gray, look.weather).tobytes())
    parts = [model.sha256, look.size, look.view, look.weather, look.flip]
    digest.update(json.dumps(parts).encode())
    for item in items:
        try:
            stat = item.picture.stat()
            mark = f"{item.picture.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
        except OSError:
            mark = f"{item.picture.absolute()}\0absent\n"
        digest.update(mark.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]


def _read(path: Path, count: int) -> tuple[Floats32, list[str]] | None:
    """None when it is not there, or no longer what was written."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            descriptors, unreadable = kept["descriptors"], json.loads(str(kept["unreadable"]))
    except Exception:  # whatever a damaged archive raises: it is described anew
        return None
    return (descriptors, unreadable) if len(descriptors) == count else None


def _write(path: Path, descriptors: Floats32, unreadable: list[str]) -> None:
    data = io.BytesIO()
    np.savez(data, descriptors=descriptors, unreadable=np.array(json.dumps(unreadable)))
    write_whole(path, data.getvalue())
