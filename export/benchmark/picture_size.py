"""The size that a view's pictures go into a network with, in training as in benchmarks."""

from __future__ import annotations

from torch import nn

from export.datasets.retrieval_set import Size, View
from export.networks.pooled_convnext import PooledConvNext
from export.networks.sample4geo import Sample4Geo
from export.networks.unifygeo import UnifyGeo


def picture_size(network: nn.Module, side_px: int, view: View, field: Size) -> Size:
    """(height, width). side_px: of overhead pictures; field: what others take for a panorama.

    Convolutional towers take panoramas as the field does, UnifyGeo twice as wide as tiles; all
    others are made for one size, and take them as square as overhead pictures.
    """
    if view is View.GROUND and isinstance(network, UnifyGeo):
        return side_px, 2 * side_px
    if view is View.GROUND and isinstance(network, (Sample4Geo, PooledConvNext)):
        return field
    return side_px, side_px
