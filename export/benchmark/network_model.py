"""A network at full size with its weights, in PyTorch: on a GPU where there is one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.benchmark.model import Floats32, Model
from export.benchmark.picture_size import picture_size
from export.benchmark.picture_tensor import device_of, normalised
from export.benchmark.unifygeo_model import UnifyGeoModel
from export.datasets.retrieval_set import Size, View
from export.networks.registry import load_network, network_entry
from export.networks.unifygeo import UnifyGeo
from onboard.pack.tile_index import unit_length

BATCH_CPU, BATCH_GPU = 4, 64
HASH_BYTES = 1 << 22


def load_model(name: str, checkpoint: Path, input_px: int | None = None) -> Model:
    """A network of the registry, ready to be measured.

    Raises InputError: no such network, a size it cannot take, a checkpoint of another one.
    """
    network = load_network(name, checkpoint, input_px)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    side_px = input_px or network_entry(name).default_size_px
    sha256 = hashlib.sha256(f"{name} {side_px} ".encode() + _digest(checkpoint)).hexdigest()
    if isinstance(network, UnifyGeo):
        return UnifyGeoModel(name, sha256, network, side_px)
    return SharedTower(name, sha256, network, side_px)


class SharedTower:
    """One tower for all views."""

    def __init__(self, name: str, sha256: str, network: nn.Module, side_px: int) -> None:
        self.name, self.sha256 = name, sha256
        self._network = network
        self._side_px = side_px
        self.batch = BATCH_GPU if device_of(network).type == "cuda" else BATCH_CPU

    def size(self, view: View, field: Size) -> Size:
        return picture_size(self._network, self._side_px, view, field)

    def describe(self, pictures: NDArray[np.uint8], view: View) -> Floats32:
        with torch.inference_mode():
            descriptors = self._network(normalised(pictures, device_of(self._network)))
        return unit_length(descriptors.float().cpu().numpy())


def _digest(path: Path) -> bytes:
    """Of a file that may be large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(HASH_BYTES):
            digest.update(part)
    return digest.digest()
