"""A survey's locations with their point clouds' vectors, made once and kept beside the points.

Point-NN takes a quarter of a second a cloud and has no weights: its vectors never change.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from export.networks.point_nn import point_nn
from export.points.reconstruction import CAMERAS_FILE, POINTS_FILE
from export.points.survey import Location, Survey, survey_locations
from onboard.errors import InputError
from onboard.whole_file import partial_name

LAYOUT = 1  # of the file; another one is made anew


@dataclass(frozen=True)
class Locations:
    """N locations with V views in all.

    position_m: (N,2) east, north. maps: (N,S,S,3) uint8 BGR. views: (V,S,S,3), location_of: (V,)
    the location of each, ascending. features: (N,1152) of Point-NN.
    """

    position_m: NDArray[np.float64]
    maps: NDArray[np.uint8]
    views: NDArray[np.uint8]
    location_of: NDArray[np.int64]
    features: NDArray[np.float32]


def cached_locations(
    survey: Survey, progress: Callable[[int, int], None] = lambda done, of: None
) -> tuple[Locations, Locations]:
    """(training half, testing half). progress is told while clouds are encoded.

    Raises InputError: as survey_locations does; the file cannot be written.
    """
    path = survey.reconstruction / f"locations-{_identity(survey)}.npz"
    unfit = contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
    with unfit, np.load(path, allow_pickle=False) as file:
        return _unpack(file, "train"), _unpack(file, "test")
    found = survey_locations(survey)
    total = len(found.train) + len(found.test)
    train = _encoded(found.train, lambda done: progress(done, total))
    test = _encoded(found.test, lambda done: progress(len(found.train) + done, total))
    _save(path, train, test)
    return train, test


def _identity(survey: Survey) -> str:
    """Changes with the settings and with either file of the reconstruction."""
    told = hashlib.sha256(f"{LAYOUT} {survey!r}".encode())
    for name in (CAMERAS_FILE, POINTS_FILE):
        try:
            told.update((survey.reconstruction / name).read_bytes())
        except OSError as e:
            raise InputError(
                f"{survey.reconstruction / name}: cannot be read ({e.strerror}); "
                "make it with `pilotage pointcloud`"
            ) from e
    return told.hexdigest()[:16]


def _encoded(locations: Sequence[Location], progress: Callable[[int], None]) -> Locations:
    features = []
    for done, location in enumerate(locations, 1):
        features.append(point_nn(torch.from_numpy(location.cloud)[None])[0].numpy())
        progress(done)
    return Locations(
        np.array([(x.east_m, x.north_m) for x in locations]),
        np.stack([x.map for x in locations]),
        np.concatenate([x.views for x in locations]),
        np.repeat(np.arange(len(locations)), [len(x.views) for x in locations]),
        np.stack(features),
    )


def _unpack(file: np.lib.npyio.NpzFile, half: str) -> Locations:
    return Locations(**{f.name: file[f"{half}_{f.name}"] for f in fields(Locations)})


def _save(path: Path, train: Locations, test: Locations) -> None:
    halves = (("train", train), ("test", test))
    arrays = {f"{h}_{f.name}": getattr(x, f.name) for h, x in halves for f in fields(Locations)}
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.replace(path)
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); make room") from e
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
