"""The networks by name: what each is, and how it is made. None is imported before it is asked for.

Every network takes RGB pictures (N,3,H,W), normalised as its entry says. With one tower for both
views, forward gives the descriptors (N, descriptor_dim), of unit length.
"""

from __future__ import annotations

import enum
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onboard.errors import InputError, nearest_known

if TYPE_CHECKING:
    from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in 0..1
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class Views(enum.Enum):
    """What the two sides of a pair look like, and whether one tower serves both."""

    OVERHEAD = "overhead"
    GROUND_AND_OVERHEAD = "ground+overhead"


@dataclass(frozen=True)
class NetworkEntry:
    """factory: "module:callable", called with input_px and checkpointing. default_size_px: side of
    the overhead picture. released_part: the submodule that a published file holds, "" for all."""

    name: str
    factory: str
    default_size_px: int
    descriptor_dim: int
    summary: str
    views: Views = Views.OVERHEAD
    normalisation: str = "imagenet"
    released_part: str = ""


_ENTRIES = (
    NetworkEntry(
        "gengeo", "export.networks.gengeo:gengeo", 322, 8448, "GenGeo: DINOv2-B and SALAD"
    ),
    NetworkEntry(
        "gengeo-slim-2112",
        "export.networks.gengeo:gengeo_slim_2112",
        322,
        2112,
        "GenGeo with 32 clusters of 64 and a token of 64",
    ),
    NetworkEntry(
        "gengeo-slim-544",
        "export.networks.gengeo:gengeo_slim_544",
        322,
        544,
        "GenGeo with 16 clusters of 32 and a token of 32",
    ),
    NetworkEntry(
        "geolink", "export.networks.geolink:GeoLink", 448, 4096, "GeoLink: DINOv2-B and a mixer"
    ),
    NetworkEntry(
        "dinov2-s",
        "export.networks.dinov2_token:DinoV2Token",
        224,
        384,
        "baseline: the class token of DINOv2-S, untrained",
        released_part="backbone",
    ),
    NetworkEntry(
        "unifygeo-vigor",
        "export.networks.unifygeo:unifygeo_vigor",
        384,
        768,
        "UnifyGeo: street panoramas over satellite tiles, re-ranked and located",
        views=Views.GROUND_AND_OVERHEAD,
    ),
    NetworkEntry(
        "unifygeo-overhead",
        "export.networks.unifygeo_overhead:unifygeo_overhead",
        256,
        768,
        "UnifyGeo for two overhead views, with the maps that locate",
    ),
    NetworkEntry(
        "sample4geo",
        "export.networks.sample4geo:sample4geo",
        384,
        1024,
        "Sample4Geo: one ConvNeXt-B for both views",
    ),
    NetworkEntry(
        "convnext-average",
        "export.networks.pooled_convnext:convnext_average",
        256,
        768,
        "baseline: ConvNeXt-T, averaged",
    ),
    NetworkEntry(
        "convnext-gem",
        "export.networks.pooled_convnext:convnext_gem",
        256,
        768,
        "baseline: ConvNeXt-T, pooled by GeM",
    ),
)
NETWORKS: dict[str, NetworkEntry] = {entry.name: entry for entry in _ENTRIES}


def network_entry(name: str) -> NetworkEntry:
    """Raises InputError: no network of this name."""
    if name not in NETWORKS:
        raise InputError(f"no network is called '{name}'; {nearest_known(name, NETWORKS)}")
    return NETWORKS[name]


def make_network(name: str, input_px: int | None = None, checkpointing: bool = False) -> nn.Module:
    """With random weights, for pictures of input_px (its default size where None).

    Raises InputError: no network of this name, a size that it cannot take.
    """
    entry = network_entry(name)
    module, factory = entry.factory.split(":")
    make = getattr(importlib.import_module(module), factory)
    try:
        network: nn.Module = make(
            input_px=entry.default_size_px if input_px is None else input_px,
            checkpointing=checkpointing,
        )
    except ValueError as e:
        raise InputError(f"{name} at {input_px} px: {e}") from e
    return network


def load_network(
    name: str, weights: Path, input_px: int | None = None, prefix: str = ""
) -> nn.Module:
    """The same with published weights, for inference; with a prefix, those of a training of ours
    whose model holds the network under that name.

    Raises InputError: as make_network and load_weights do.
    """
    from export.checkpoints import load_weights

    network = make_network(name, input_px)
    part = "" if prefix else network_entry(name).released_part
    load_weights(network.get_submodule(part), weights, prefix)
    return network.eval()
